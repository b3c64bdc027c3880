"""The vocabulary of the made-up data."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FIRST = _words(
    "Ada Amara Anna Arjun Aya Bea Ben Carla Chen Dana David Elena Emil Farah Finn Grace Hana Hugo Ines Ivan Jamal Jana "
    "Kai Kofi Lara Leo Lina Luis Maja Marco Mei Milan Nadia Noah Nora Olga Omar Petra Priya Rafael Rosa Sami Sara "
    "Sofia "
    "Tariq Tess Uma Victor Wanda Yara Yuki Zoe"
)
LAST = _words(
    "Abara Adler Bauer Becker Blanc Brandt Castro Costa Dahl Diallo Diaz Fischer Fontana Garcia Gupta Haas Hansen Ito "
    "Jansen Kaya Keller Khan Kim Klein Kovac Kumar Lang Larsen Lopez Maier Marino Mensah Moreau Mori Nagy Novak Okafor "
    "Olsen Park Patel Pereira Petrov Rossi Roy Santos Schmidt Silva Singh Tanaka Toure Vega Wagner Weber Wong Yilmaz"
)
COMPANY_HEAD = _words(
    "Alder Amber Anchor Apex Aspen Atlas Aurora Beacon Birch Bright Cedar Citadel Clear Cobalt Coral Crest Delta Dune "
    "Eagle Ember Falcon Fjord Forge Garnet Glacier Granite Harbor Hazel Helix Ivory Juniper Keystone Lark Linden Lumen "
    "Maple Meridian Nimbus North Oak Onyx Opal Orchid Pine Quartz Raven Ridge River Sable Sierra"
)
COMPANY_TAIL = _words("Analytics Bank Foods Freight Health Insurance Logistics Media Mobility Networks")
INDUSTRIES = _words("Banking Energy Food Health Insurance Logistics Manufacturing Media Retail Telecom")
COUNTRIES = _words("AT BR CA CH DE ES FR GH IN IT JP KR MX NL PL PT SE SG UK US")
FAMILIES = _words("Engineering Finance Legal Marketing Operations People Procurement Sales Security Support")
LEVELS = ("Associate", "Analyst", "Specialist", "Senior Specialist", "Lead", "Manager", "Director", "Head")
FUNCTIONS = FAMILIES
VERBS = _words(
    "Approve Archive Assess Check Classify Collect Compare Draft Forecast Match Onboard Plan Review Route Score"
)
OBJECTS = _words(
    "applications audits benefits budgets candidates claims contracts expenses forecasts incidents invoices leave "
    "licences orders payroll policies proposals reports risks rosters shipments skills suppliers tickets timesheets "
    "trainings travel vacancies vendors visits"
)
SENTENCES = (
    "The request arrives with its papers and is checked for completeness.",
    "Missing facts are asked for before the work goes on.",
    "Amounts above the limit need a second pair of eyes.",
    "The result is written down where the next team will look for it.",
    "Most of the time is spent waiting for an answer.",
    "Exceptions are collected and talked over once a week.",
    "A copy goes to the archive and stays there for ten years.",
    "Numbers are compared with those of the last quarter.",
)
