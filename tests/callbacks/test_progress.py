"""What a person sees while training runs."""

import io
import re

import pytest

from lightning_rast.callbacks import Evaluation, ProgressDisplay, progress
from lightning_rast.callbacks.progress import duration, seconds_left
from lightning_rast.data.suspicions import ADVICE
from lightning_rast.pyramid_module import PyramidModule
from tests.callbacks.problem import STEPS, Fit

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def show(tmp_path, monkeypatch):
    def shown(stream, *others, untold=0.0, **keywords):
        monkeypatch.setattr("sys.stdout", stream)
        monkeypatch.setattr(progress, "_SECONDS_UNTOLD", untold)
        monkeypatch.setattr(progress, "_SECONDS_BETWEEN_MARKS", 0.0)
        fit = Fit(tmp_path, **keywords)
        fit.run(*others, ProgressDisplay(tmp_path))
        return stream.getvalue()

    return shown


def test_without_a_terminal_there_is_a_plain_line_for_every_tenth(tmp_path, show):
    lines = show(io.StringIO(), Evaluation(every_n_steps=1)).splitlines()
    steps = [int(found[1]) for line in lines if (found := re.search(r"step +(\d+)/20 ", line))]
    assert steps == list(range(2, STEPS + 1, 2))
    words = r"held-out IoU 0\.\d{4} at 24 px  .* \d+:\d\d left$"
    assert all(re.search(words, line) for line in lines[:-2])
    assert not re.search(r"[\x1b\r]", "".join(lines))
    assert lines[-2].endswith(str(tmp_path))
    assert re.match(r"held-out IoU 0\.\d{4} at 24 px; ", lines[-1])


def test_an_iou_that_was_measured_some_steps_before_says_at_which(show):
    lines = show(io.StringIO(), Evaluation(every_n_steps=8)).splitlines()
    found = {
        int(step[1]): re.search(r"IoU 0\.\d{4} at 24 px(?: \(step (\d+)\))?  ", line)
        for line in lines
        if (step := re.search(r"step +(\d+)/20 ", line))
    }
    told = {step: match and match[1] for step, match in found.items()}
    assert told == {
        **dict.fromkeys((2, 4, 6), "0"),
        8: None,
        **dict.fromkeys((10, 12, 14), "8"),
        16: None,
        18: "16",
        20: None,
    }
    assert all(found.values())


def test_without_held_out_views_the_training_iou_is_shown(show):
    output = show(io.StringIO(), Evaluation(every_n_steps=1), held_out=False)
    assert re.search(r"  IoU 0\.\d{4} at 24 px", output)
    assert "held-out" not in output


def test_a_log_file_gets_no_bar_even_where_colours_are_forced(show, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    output = show(io.StringIO(), Evaluation(every_n_steps=1))
    assert not re.search(r"[\x1b\r]", output)
    assert " 50 %  step 10/20" in output


def test_a_terminal_that_cannot_go_back_to_a_line_gets_plain_lines(show, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    output = show(Terminal(), Evaluation(every_n_steps=1))
    assert not re.search(r"[\x1b\r]", output)
    assert " 50 %  step 10/20" in output


def test_a_slow_training_says_something_between_two_tenths(show, monkeypatch):
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LINES", 0.0)
    lines = show(io.StringIO(), Evaluation(every_n_steps=1)).splitlines()
    assert sum(" %  step " in line for line in lines) == STEPS


def last_status(output):
    """The bar, as it is drawn last, and what stands beside it."""
    return re.findall(r"[^\r\n]*left", re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "\r", output))[-1]


@pytest.mark.parametrize("columns", [60, 80, 100, 140])
@pytest.mark.parametrize("place", ["", ", rung 11 of 11 (0.0125), polish"])
def test_on_a_terminal_there_is_a_bar_that_fits(show, monkeypatch, columns, place):
    whole = PyramidModule.place.fget
    monkeypatch.setattr(
        PyramidModule, "place", property(lambda module: whole(module) + place[: columns - 58])
    )
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    output = show(Terminal(), Evaluation(every_n_steps=1))
    last = last_status(output)
    assert f"step {STEPS}/{STEPS}" in output
    assert "━" in output
    assert "…" not in output
    assert len(last) <= columns


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (60, ["IoU"]),
        (72, ["IoU", "at 24 px"]),
        (84, ["IoU", "at 24 px", "ms/step"]),
        (120, ["IoU", "at 24 px", "ms/step", "loss"]),
    ],
)
def test_what_has_no_room_beside_the_bar_is_left_out_the_loss_first(
    show, monkeypatch, columns, told
):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    last = last_status(show(Terminal(), Evaluation(every_n_steps=1)))
    assert [word for word in ("IoU", "at 24 px", "ms/step", "loss") if word in last] == told


def test_in_the_first_seconds_no_time_left_is_told(show):
    output = show(io.StringIO(), Evaluation(every_n_steps=1), untold=1e9)
    assert "ms/step" in output
    assert " left" not in output


def test_time_left_is_that_of_the_steps_which_follow_at_the_pace_of_most_marks():
    marks = [(0.0, 0), (2.0, 1), (2.5, 11), (3.0, 21), (4.5, 22), (5.0, 32)]
    assert seconds_left(marks, 40) == pytest.approx(40 * 0.05)


def test_no_time_is_left_without_steps_to_do():
    assert seconds_left([(0.0, 0), (1.0, 4)], 0) == 0


def test_the_end_says_that_faces_cross_and_where_to_look(tmp_path, show, monkeypatch):
    monkeypatch.setattr(PyramidModule, "num_self_intersections", property(lambda _: 7))
    last = show(io.StringIO(), Evaluation(every_n_steps=1)).splitlines()[-1]
    assert last.startswith("7 pairs of faces cross")
    assert last.endswith(f": lightning-rast evaluate {tmp_path}")


@pytest.mark.parametrize(("warnings", "is_told"), [(["odd; " + ADVICE], True), (["odd"], False)])
def test_the_end_names_the_doctor_where_a_warning_advised_it(
    tmp_path, monkeypatch, warnings, is_told
):
    stream = io.StringIO()
    monkeypatch.setattr("sys.stdout", stream)
    Fit(tmp_path).run(ProgressDisplay(tmp_path, warnings=warnings))
    told = f"lightning-rast doctor {tmp_path / 'config.yaml'}\n"
    assert stream.getvalue().endswith(told) == is_told
    assert ("lightning-rast doctor" in stream.getvalue()) == is_told


def test_an_error_gives_the_terminal_back(show, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")

    class Broken(Evaluation):
        def on_train_batch_end(self, *_):
            raise RuntimeError("broken")

    stream = Terminal()
    with pytest.raises(RuntimeError, match="broken"):
        show(stream, Broken(every_n_steps=1))
    hidden, visible = "\x1b[?25l", "\x1b[?25h"
    assert stream.getvalue().rindex(visible) > stream.getvalue().rindex(hidden)


def test_durations_read_as_on_a_clock():
    assert [duration(seconds) for seconds in (0.4, 7, 75, 3599.6, 7322)] == [
        "0:00",
        "0:07",
        "1:15",
        "1:00:00",
        "2:02:02",
    ]
