"""The summary of a training in the terminal."""

from verydeep.tables.training_table import training_summary

from ..report.evaluations import evaluation
from ..report.trainings import train_result


def summary(**changes):
    return training_summary(train_result(**changes), wall_seconds=3725.0).plain.replace(
        "\N{NO-BREAK SPACE}", " "
    )


def test_the_summary_has_the_metrics_and_the_times():
    assert summary() == (
        "Test accuracy 93.33 % (95 % interval 89.93 % to 95.64 %) on 300 images, "
        "after 2 min 05 s of training (1 h 02 min in all)\n"
        f"Balanced accuracy 93.33 %, macro-F1 {100 * train_result().test.macro_f1:.2f} %"
    )


def test_images_of_groups_are_counted_by_group():
    assert "on 300 images of 12 groups, after" in summary(test=evaluation(groups=12))


def test_notes_on_the_data_are_first():
    assert summary(notes=("32 px, as given", "1 image cannot be read")).startswith(
        "Note: 32 px, as given\nNote: 1 image cannot be read\nTest accuracy"
    )


def test_the_kept_epoch_is_the_last_line():
    assert summary(best_epoch=1).endswith("\nepoch 1 of 2 was kept")
    assert summary(best_epoch=0).endswith("\nepoch 0 of 2 was kept")
