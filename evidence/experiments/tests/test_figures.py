"""Each experiment computes its figures from its CSV file: small ones here, and those of the committed reports."""

from pathlib import Path

import pytest

from evidence.experiments.__main__ import NAMES, experiment
from evidence.experiments.experiment import FOLDER, index
from evidence.harness import plots, records
from evidence.harness.records import Recorder

FIXTURES = Path(__file__).parent / "fixtures"


def figures_of(name):
    return experiment(name).figures(records.read(FIXTURES / f"{name}.csv"))


def report_of(name):
    return experiment(name).report(figures_of(name))


def test_queue_sharing_counts_shares_repeats_and_what_is_missing():
    two = figures_of("queue-sharing")["2 workers"]

    assert two["logins"] == 4
    assert two["shares"] == [3, 2]
    assert (two["mailed_once"], two["repeated"], two["missing"], two["handled_twice"]) == (2, 1, 1, 1)
    assert two["furthest_from_even"] == pytest.approx(0.2)
    assert two["seconds"] == 2.5
    assert not report_of("queue-sharing").holds


def test_consumer_scaling_holds_rates_against_one_worker():
    slow, fast = figures_of("consumer-scaling")["0.25"], figures_of("consumer-scaling")["0"]

    assert slow[1] == {"messages": 4, "seconds": 4.0, "rate": 1.0, "speed_up": 1.0}
    assert slow[4]["speed_up"] == 3.2
    assert fast[4]["speed_up"] == 1.25
    assert report_of("consumer-scaling").holds


def test_failover_gives_each_victim_the_requests_after_its_death():
    found = figures_of("failover")

    assert found["victims"]["rabbitmq"]["failed"] == 0
    assert found["victims"]["rabbitmq"]["most_waiting"] == 7
    assert found["victims"]["auth-db"]["failed"] == 2
    assert found["victims"]["auth-db"]["failed_for"] == pytest.approx(1.5)
    assert (found["accepted"], found["recorded"], found["told"], found["repeated"]) == (3, 3, 3, 0)
    assert report_of("failover").holds


def test_liveness_measures_gaps_between_probes_and_times_to_restart():
    found = figures_of("liveness")

    assert found["probes"]["count"] == 4
    assert found["probes"]["gap"] == pytest.approx(5.0)
    assert (found["crash"]["restarted"], found["crash"]["ready"]) == (2.0, 6.0)
    assert (found["hang"]["restarted"], found["hang"]["failed"], found["hang"]["requests"]) == (40.0, 1, 2)
    assert found["hang"]["given_up"] == 13
    assert found["hang"]["probe_said"] and not found["crash"]["probe_said"]
    assert report_of("liveness").holds


def test_rolling_update_counts_failed_requests_and_the_fewest_ready_pods():
    found = figures_of("rolling-update")

    assert (found["rolling update"]["failed"], found["rolling update"]["fewest_ready"]) == (0, 3)
    assert found["rolling update"]["seconds"] == 30
    assert (found["Recreate"]["failed"], found["Recreate"]["fewest_ready"]) == (2, 0)
    assert (found["Recreate"]["failing_for"], found["Recreate"]["without_pods"]) == (4, 9)
    assert report_of("rolling-update").holds


def test_autoscaling_measures_from_the_beginning_and_the_end_of_the_load():
    found = figures_of("autoscaling")

    assert found["without CPU requests"]["most_used"] is None
    assert found["without CPU requests"]["condition"] == "FailedGetResourceMetric: missing request for cpu"
    with_them = found["with CPU requests"]
    assert (with_them["wanted_after"], with_them["ready_after"], with_them["down_after"]) == (10, 20, 100)
    assert (with_them["most_wanted"], with_them["most_ready"], with_them["most_used"]) == (5, 4, 400)
    assert report_of("autoscaling").holds


@pytest.mark.parametrize(
    ("name", "careful"), [("canary", "canary of 25 %"), ("blue-green", "blue-green, promoted unseen")]
)
def test_a_broken_version_is_counted_by_way(name, careful):
    found = figures_of(name)

    assert (found["rolling update"]["failed"], found["rolling update"]["requests"]) == (4, 8)
    assert found["rolling update"]["failing_for"] == 30
    assert found["rolling update"]["noticed_after"] == 5
    assert found[careful]["failed"] == 2
    assert found[careful]["went_on_for"] == (2 if name == "canary" else None)
    assert found[careful]["worst"] == pytest.approx(0.5)
    assert report_of(name).holds


@pytest.mark.parametrize("name", NAMES)
def test_every_plot_says_what_its_axes_are(name):
    each = experiment(name)
    seen = records.read(FIXTURES / f"{name}.csv")

    for panel in each.panels(seen, each.figures(seen)):
        assert panel.title and panel.y_label
        assert all(len(series.x) == len(series.y) for series in panel.series)


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_report_is_what_its_csv_file_gives(name):
    each = experiment(name)

    assert each.file("md").read_text() == each.markdown(records.read(each.file("csv")))
    assert each.file("png").exists()


def test_the_committed_index_is_what_the_csv_files_give():
    assert (FOLDER / "README.md").read_text() == index([experiment(name) for name in NAMES])


def test_what_is_recorded_is_read_again(tmp_path):
    recorder = Recorder(tmp_path / "seen.csv")
    recorder.case("one")
    recorder.add("request", "profile", 12.5, 200, seconds=1.0)
    recorder.add("request", "profile", 3000.0, 0, seconds=2.0)
    other = recorder.branch("two")
    other.event("it happens")
    recorder.close()

    seen = records.read(tmp_path / "seen.csv")

    assert records.cases(seen) == ["one", "two"]
    assert [record.number for record in records.of(seen, "request", case="one")] == [12.5, 3000]
    assert [records.failed(record) for record in records.of(seen, "request")] == [False, True]
    good, bad = plots.answers(records.of(seen, "request"))
    assert (good.y, bad.y) == ([0, 1, 0], [0, 0, 1])
    assert "took" in records.facts(seen)
