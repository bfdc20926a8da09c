import pytest
from prefloop.errors import Problems, UserError
from prefloop.train import TrainSettings
from prefloop.train.sweep import SweepSettings, cells, read_over, setting_name, swept_settings

TRAIN = TrainSettings(beta=0.1, learning_rate=1e-4, seed=7)


def sweep(**over):
    return swept_settings(TRAIN, SweepSettings(over={f"train.{name}": values for name, values in over.items()}))


def test_options_are_read_as_yaml_values():
    assert read_over(["train.beta=0.05,0.1", "train.loss_type=[sigmoid],[sigmoid, sft]"]) == {
        "train.beta": (0.05, 0.1),
        "train.loss_type": (["sigmoid"], ["sigmoid", "sft"]),
    }


@pytest.mark.parametrize("option", ["train.beta", "train.beta=", "train.beta=]"])
def test_an_option_of_another_form_is_named(option):
    with pytest.raises(Problems, match=r"train\.beta.* is not of the form"):
        read_over([option])


def test_an_option_given_twice_is_refused_rather_than_half_of_it_forgotten():
    with pytest.raises(Problems, match="given twice"):
        read_over(["train.beta=0.1", "train.beta=0.2"])


def test_every_combination_is_a_setting_and_the_recipes_own_is_called_recipe():
    found = sweep(beta=(0.05, 0.1), learning_rate=(1e-4, "1e-3"))
    assert [setting_name(one) for one in found] == [
        "beta=0.05", "beta=0.05,learning_rate=0.001", "recipe", "learning_rate=0.001",
    ]  # fmt: skip


def test_the_same_setting_said_twice_is_trained_once():
    combinations = ({"train.beta": 0.05}, {"train.beta": 0.05, "train.learning_rate": 1e-4})
    found = swept_settings(TRAIN, SweepSettings(over={"train.beta": (0.05, 0.1)}, combinations=combinations))
    assert [setting_name(one) for one in found] == ["beta=0.05", "recipe"]


def test_a_loss_with_a_scale_of_its_own_is_a_combination():
    one = {"train.loss_type": ["sigmoid_norm"], "train.beta": 5}
    found = swept_settings(TRAIN, SweepSettings(combinations=({}, one)))
    assert [setting_name(one) for one in found] == ["recipe", "beta=5.0,loss_type=sigmoid_norm"]
    assert cells(TRAIN, found, [7])[1].train.loss_type == ("sigmoid_norm",)


def test_settings_that_make_no_training_are_all_named():
    with pytest.raises(Problems) as caught:
        sweep(beta=(-1, 0.1), loss_type=(["sigmoid"], ["sigmoid_norm"]), betta=(1,))
    unknown, alone, together = caught.value.problems
    assert unknown == "train.betta  is not a setting"
    assert alone.startswith("train.beta=-1: ")
    assert together.startswith("train.beta=0.1, train.loss_type=['sigmoid_norm']: ")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("collect.pairs", "only train"),
        ("train.betta", "not a setting"),
        ("train.beta.inner", "not a setting"),
        ("train.seed", "seeds"),
        ("train.base_model", "one model"),
        ("train.sft", "one model"),
    ],
)
def test_what_cannot_be_swept_is_refused_with_the_reason(name, why):
    with pytest.raises(Problems, match=why):
        swept_settings(TRAIN, SweepSettings(over={name: (1, 2)}))


def test_nothing_to_sweep_over_is_a_sentence():
    with pytest.raises(UserError, match="--over"):
        swept_settings(TRAIN, SweepSettings())


def test_cells_go_seed_by_seed_and_have_names_good_for_folders():
    found = cells(TRAIN, sweep(beta=(0.1, 0.2), target_modules=("all-linear", ["q_proj", "v_proj"])), [7, 8])
    assert [cell.train.seed for cell in found] == [7, 7, 7, 7, 8, 8, 8, 8]
    assert found[3].name == "beta=0.2,target_modules=q_proj+v_proj-seed7"
    assert len({cell.name for cell in found}) == 8
    assert found[3].train.beta == 0.2


def test_odd_values_get_a_name_that_a_folder_can_have():
    name = setting_name({"target_modules": ["a/b", "c d" * 60]})
    assert "/" not in name
    assert len(name) < 100
    assert name != setting_name({"target_modules": ["a/b", "c d" * 61]})
