"""Routes of runs, dashboards and simulations."""

from dataclasses import dataclass

from etter import groups
from etter.models.simulation import SimulationRequest, SimulationResult
from etter.models.work import Dashboard, DashboardLine, DashboardQuery, HistoryItem, HistoryQuery, ScoreChange
from etter.services.simulation import SimulationService
from etter.services.work import DashboardService, HistoryService
from etter.web.caching import CacheAdvice, Sharing
from etter.web.call import Call, NoBody, NoQuery, Result, Route
from etter.web.envelope import Page

_READ = CacheAdvice(Sharing.COMPANY, shared_seconds=300)
# The answer follows from the request body alone; whether a POST may be answered from a store is the cache's decision.
_SIMULATION = CacheAdvice(Sharing.COMPANY, shared_seconds=7200)


@dataclass(frozen=True, slots=True)
class InsightRoutes:
    """Handlers over runs, dashboard and simulation."""

    history: HistoryService
    dashboards: DashboardService
    simulations: SimulationService

    async def runs(self, call: Call[HistoryQuery, NoBody]) -> Result:
        """List runs of the company."""
        listed = await self.history.runs(call.caller, call.query, call.url)
        return Result(listed.page, groups=(groups.company_history(call.caller.company_id),))

    async def dashboard(self, call: Call[DashboardQuery, NoBody]) -> Result:
        """Show the CHRO dashboard."""
        company_id = call.caller.company_id
        shown = (groups.company_dashboard(company_id), groups.company_history(company_id), groups.WORKFLOWS)
        return Result(await self.dashboards.dashboard(call.caller, call.query), groups=shown)

    async def validate(self, call: Call[NoQuery, ScoreChange]) -> Result:
        """Set a validated score."""
        line = await self.dashboards.validate(call.caller, call.id, call.body)
        return Result(line, invalidates=(groups.company_dashboard(line.company_id),))

    async def simulate(self, call: Call[NoQuery, SimulationRequest]) -> Result:
        """Run a simulation."""
        return Result(await self.simulations.simulate(call.body), groups=(groups.SIMULATIONS,))

    def table(self) -> tuple[Route, ...]:
        """Declare the routes."""
        return (
            Route(
                method="GET",
                path="/api/etter/history",
                summary="List workflow runs",
                handler=self.runs,
                advice=_READ,
                data=Page[HistoryItem],
                query=HistoryQuery,
            ),
            Route(
                method="GET",
                path="/api/etter/get_chro_data",
                summary="Show the CHRO dashboard",
                handler=self.dashboard,
                advice=_READ,
                data=Dashboard,
                query=DashboardQuery,
            ),
            Route(
                method="PATCH",
                path="/api/etter/chro_data/{id}",
                summary="Set a validated score",
                handler=self.validate,
                data=DashboardLine,
                body=ScoreChange,
            ),
            Route(
                method="POST",
                path="/api/etter/simulation/v1",
                summary="Simulate automation",
                handler=self.simulate,
                advice=_SIMULATION,
                data=SimulationResult,
                body=SimulationRequest,
            ),
        )
