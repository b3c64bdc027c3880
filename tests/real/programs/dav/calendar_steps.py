"""caldav on Radicale: a calendar is made, an event put into it, edited by two, moved and removed. Prints JSON."""

import json
import sys
import urllib.error
import urllib.request

import caldav

URL = sys.argv[1]
EVENT = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//test//EN
BEGIN:VEVENT
UID:one@example.test
DTSTAMP:20260101T000000Z
DTSTART:20260102T100000Z
DTEND:20260102T110000Z
SUMMARY:{summary}
END:VEVENT
END:VCALENDAR
"""
seen: list[object] = []


def client(name: str) -> caldav.DAVClient:
    return caldav.DAVClient(url=URL, username=name, password=name)


def asked(method: str, path: str, name: str, body: bytes | None = None, **fields: str) -> tuple[int, str, str]:
    manager = urllib.request.HTTPPasswordMgrWithPriorAuth()
    manager.add_password(None, URL, name, name, is_authenticated=True)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPBasicAuthHandler(manager))
    headers = {key.replace("_", "-"): value for key, value in fields.items()}
    try:
        with opener.open(urllib.request.Request(URL + path, body, headers, method=method), timeout=30) as response:
            return response.status, response.headers.get("ETag", ""), response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, "", ""


calendar = client("ann").principal().make_calendar(name="Work", cal_id="work")
event = calendar.add_event(EVENT.format(summary="first"))
path = "/ann/work/" + str(event.url).rpartition("/")[2]
seen.append([found.icalendar_component["SUMMARY"] for found in calendar.events()])

status, tag, text = asked("GET", path, "ann")
seen += [status, "SUMMARY:first" in text]
kind = {"Content_Type": "text/calendar"}
edited = EVENT.format(summary="second").encode()
seen.append(asked("PUT", path, "ann", edited, If_Match=tag, **kind)[0])
seen.append(asked("PUT", path, "ann", edited, If_Match=tag, **kind)[0])  # the tag is that of the event before
status, tag, text = asked("GET", path, "ann", If_None_Match=tag)
seen += [status, "SUMMARY:second" in text]
# Radicale answers in full; a proxy that sees the same tag may say so.
seen.append(asked("GET", path, "ann", If_None_Match=tag)[0] in {200, 304})
seen.append(asked("GET", path, "bob")[0])
seen.append([found.icalendar_component["SUMMARY"] for found in client("ann").principal().calendars()[0].events()])
# The Destination names the host that the client knows, as RFC 4918 section 10.3 asks.
seen.append(asked("MOVE", path, "ann", Destination=URL + "/ann/work/moved.ics")[0])
seen.append(asked("GET", path, "ann")[0])
seen.append("SUMMARY:second" in asked("GET", "/ann/work/moved.ics", "ann")[2])
seen.append(asked("DELETE", "/ann/work/moved.ics", "ann", If_Match='"another"')[0])
seen.append(asked("DELETE", "/ann/work/moved.ics", "ann", If_Match=tag)[0])
seen.append(len(calendar.events()))
print(json.dumps(seen))
