from __future__ import annotations

import logging

import pytest

from veneer.observe.settings import MetricsTarget, ObserveSettings, ObserveSettingsError, Sampler, read_observe_settings


def test_nothing_is_sent_anywhere_by_default() -> None:
    assert read_observe_settings({}) == ObserveSettings(True, logging.INFO, None, None)


def test_addresses_count_only_while_switched_on() -> None:
    addresses = {"OTLP_ENDPOINT": "http://otel:4318", "SENTRY_DSN": "https://k@sentry.example/1"}
    assert read_observe_settings(addresses) == ObserveSettings()
    on = read_observe_settings(addresses | {"APM_ENABLED": "true", "ERROR_TRACKING_ENABLED": "1"})
    assert (on.otlp_endpoint, on.sentry_dsn) == ("http://otel:4318/v1/traces", "https://k@sentry.example/1")


def test_switches_and_level() -> None:
    assert read_observe_settings({"ENABLE_METRICS": "off", "LOG_LEVEL": "warning"}) == ObserveSettings(
        metrics=False, log_level=logging.WARNING
    )


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL is 'LOUD'; it may be DEBUG"),
        ({"ENABLE_METRICS": "maybe"}, 'write "true" or "false"'),
        ({"APM_ENABLED": "true"}, "OTLP_ENDPOINT must be"),
        ({"ERROR_TRACKING_ENABLED": "true", "SENTRY_DSN": "sentry.example"}, "SENTRY_DSN must be"),
    ],
)
def test_nonsense_says_what_would_be_right(environment: dict[str, str], says: str) -> None:
    with pytest.raises(ObserveSettingsError, match=says):
        read_observe_settings(environment)


@pytest.mark.parametrize(
    ("variables", "sampler"),
    [
        ({}, Sampler(1.0)),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, Sampler(0.0, parent_based=False)),
        ({"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.1"}, Sampler(0.1)),
        ({"OTEL_TRACES_SAMPLER": "traceidratio"}, Sampler(1.0, parent_based=False)),
    ],
)
def test_opentelemetry_s_variables_choose_the_sampler(variables: dict[str, str], sampler: Sampler) -> None:
    assert read_observe_settings(variables).sampler == sampler


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"OTEL_TRACES_SAMPLER": "jaeger_remote"}, "OTEL_TRACES_SAMPLER is 'jaeger_remote'; it may be always_on"),
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "10%"}, "a share from 0 to 1"),
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "2"}, "a share from 0 to 1"),
    ],
)
def test_a_sampler_that_is_not_known_is_an_error(variables: dict[str, str], says: str) -> None:
    with pytest.raises(ObserveSettingsError, match=says):
        read_observe_settings(variables)


def test_opentelemetry_s_variables_name_the_service() -> None:
    assert read_observe_settings({}).service == "veneer"
    assert read_observe_settings({"OTEL_SERVICE_NAME": "edge"}).service is None
    assert read_observe_settings({"OTEL_RESOURCE_ATTRIBUTES": "service.name=edge,a=b"}).service is None


def test_a_node_has_a_name_where_it_is_given_one() -> None:
    assert read_observe_settings({"VENEER_NODE": "shop-6df-x "}).node == "shop-6df-x"
    assert read_observe_settings({"VENEER_NODE": "", "HOSTNAME": "shop"}).node is None


BASE, WHOLE = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"


@pytest.mark.parametrize(
    ("environment", "address"),
    [
        ({BASE: "http://otel:4318"}, "http://otel:4318/v1/traces"),
        ({BASE: "http://otel:4318/"}, "http://otel:4318/v1/traces"),
        ({BASE: "https://otel/collector"}, "https://otel/collector/v1/traces"),
        ({WHOLE: "http://otel:4318/"}, "http://otel:4318/"),
        ({WHOLE: "http://otel/spans", BASE: "http://other"}, "http://otel/spans"),
        ({"OTLP_ENDPOINT": "http://own/v1/traces", WHOLE: "http://otel/spans"}, "http://own/v1/traces"),
        ({BASE: "http://otel", "OTEL_SDK_DISABLED": "TRUE"}, None),
        ({BASE: "http://otel", "OTEL_SDK_DISABLED": "1"}, "http://otel/v1/traces"),
        ({BASE: "http://otel", "OTEL_TRACES_EXPORTER": "none"}, None),
        ({BASE: "http://otel", "APM_ENABLED": "false"}, None),
    ],
)
def test_where_spans_are_sent_by_opentelemetrys_own_variables(environment: dict[str, str], address: str | None) -> None:
    assert read_observe_settings({"APM_ENABLED": "true"} | environment).otlp_endpoint == address


@pytest.mark.parametrize(
    ("variables", "target"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel:4318"}, None),
        ({"OTEL_METRICS_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel:4318"}, None),
        ({"OTEL_METRICS_EXPORTER": "prometheus"}, None),
        ({"OTEL_METRICS_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true"}, None),
        ({"OTEL_METRICS_EXPORTER": "otlp"}, MetricsTarget("http://localhost:4318/v1/metrics")),
        (
            {"OTEL_METRICS_EXPORTER": "prometheus, otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel:4318/"},
            MetricsTarget("http://otel:4318/v1/metrics"),
        ),
        (
            {
                "OTEL_METRICS_EXPORTER": "otlp",
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel:4318",
                "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "https://else/take",
                "OTEL_METRIC_EXPORT_INTERVAL": "1500",
            },
            MetricsTarget("https://else/take", 1.5),
        ),
        (
            {"OTEL_METRICS_EXPORTER": "otlp", "OTLP_ENDPOINT": "http://otel:4318/v1/traces"},
            MetricsTarget("http://otel:4318/v1/metrics"),
        ),
    ],
)
def test_opentelemetry_s_variables_say_where_metrics_go(
    variables: dict[str, str], target: MetricsTarget | None
) -> None:
    assert read_observe_settings(variables).otlp_metrics == target


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"OTEL_METRICS_EXPORTER": "console"}, "OTEL_METRICS_EXPORTER is 'console'; it may be otlp, or none"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "otel:4318"}, "must be an http:// or https:// address"),
        ({"OTEL_METRIC_EXPORT_INTERVAL": "1m"}, "is '1m'; write milliseconds, from 100 to 86400000"),
        ({"OTEL_METRIC_EXPORT_INTERVAL": "99"}, "write milliseconds, from 100"),
        ({"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta"}, "sent as cumulative alone, leave it out"),
    ],
)
def test_nonsense_about_metrics_says_what_would_be_right(variables: dict[str, str], says: str) -> None:
    with pytest.raises(ObserveSettingsError, match=says):
        read_observe_settings({"OTEL_METRICS_EXPORTER": "otlp"} | variables)


def test_the_nodes_name_is_the_instance_s_unless_opentelemetry_s_own_says_another() -> None:
    named = {"VENEER_NODE": "pod-1"}
    assert read_observe_settings(named).resource == {"service.name": "veneer", "service.instance.id": "pod-1"}
    assert read_observe_settings({}).resource == {"service.name": "veneer"}
    told = named | {"OTEL_RESOURCE_ATTRIBUTES": "service.name=shop,service.instance.id=7"}
    assert read_observe_settings(told).resource == {}
