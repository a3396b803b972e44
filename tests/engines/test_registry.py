"""Names to models, and what a model cannot do."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from stenod.engines.base import Capabilities, Family, Model
from stenod.engines.registry import GROUP, Registry
from stenod.errors import BadRequest, BadSettings, ModelNotFound, StenodError
from stenod.options import DecodeOptions


def model(name, quality, *languages, installed=True, aliases=(), translates=False):
    return Model(
        name=name, family="test", installed=installed, languages=languages, licence="", size_mb=1, quality=quality,
        capabilities=Capabilities(languages=languages, targets=("en", "fr") if translates else ()),
        expect="", aliases=aliases,
    )  # fmt: skip


MODELS = (
    model("small-en", 10, "en", aliases=("small",)),
    model("large-en", 30, "en"),
    model("many", 20, "en", "de", "pt-BR", aliases=("polyglot",), translates=True),
    model("best", 90, "*", installed=False),
    model("toy", 0, "*"),
)


def fail(*_arguments):
    raise RuntimeError("out of order\nand more")


REGISTRY = Registry([Family("test", lambda _store: MODELS, fail), Family("sad", fail, fail)])


@pytest.mark.parametrize(
    ("name", "options", "found"),
    [
        ("auto", {}, "large-en"),
        ("auto", {"language": "en"}, "large-en"),
        ("auto", {"language": "en-GB"}, "large-en"),
        ("auto", {"language": "de"}, "many"),
        ("auto", {"language": "DE_at"}, "many"),
        ("auto", {"language": "pt"}, "many"),
        ("auto", {"task": "translate"}, "many"),
        ("auto", {"task": "translate", "target_language": "fr-CA"}, "many"),
        ("small-en", {}, "small-en"),
        ("small", {"language": "en"}, "small-en"),
        ("polyglot", {"language": "de-CH"}, "many"),
        ("toy", {"language": "xx"}, "toy"),
    ],
)
def test_what_a_name_means(name, options, found):
    assert REGISTRY.resolve(name, DecodeOptions(**options)).name == found


@pytest.mark.parametrize(
    ("name", "options", "error", "code", "says"),
    [
        ("nonsense", {}, ModelNotFound, "model_not_found", "large-en, many, small-en"),
        ("best", {}, ModelNotFound, "model_not_found", "stenod models pull best"),
        ("small", {"language": "de"}, BadRequest, "unsupported_language", "only en"),
        ("auto", {"language": "fr"}, BadRequest, "unsupported_language", "'fr'"),
        ("small", {"task": "translate"}, BadRequest, "unsupported_task", "translate"),
        ("many", {"task": "translate", "target_language": "de"}, BadRequest, "unsupported_language", "en, fr"),
        ("toy?cost=1", {}, ModelNotFound, "model_not_found", "toy?cost=1"),  # for operators, see configure
        ("../../etc", {}, ModelNotFound, "model_not_found", "../../etc"),
        ("", {}, ModelNotFound, "model_not_found", "no model ''"),
    ],
)
def test_what_is_refused(name, options, error, code, says):
    with pytest.raises(error) as failure:
        REGISTRY.resolve(name, DecodeOptions(**options))
    assert failure.value.code == code
    assert says in failure.value.message


def test_nothing_installed():
    with pytest.raises(ModelNotFound, match="no model is installed"):
        Registry([Family("toys", lambda _store: MODELS[3:], fail)]).resolve("auto")


def test_the_best_comes_first():
    assert [one.name for one in REGISTRY.models()] == ["best", "large-en", "many", "small-en", "toy"]
    assert REGISTRY.family(MODELS[0]).name == "test"


def test_a_broken_family_is_listed_with_its_reason():
    assert REGISTRY.broken == {"sad": "RuntimeError: out of order"}


def test_ours_come_by_the_same_door_as_strangers():
    points = [
        EntryPoint("fake", "stenod.engines.fake:FAMILY", GROUP),
        EntryPoint("gone", "no_such_module_anywhere:FAMILY", GROUP),
        EntryPoint("odd", "stenod.engines.fake:NOTHING", GROUP),
    ]
    registry = Registry.installed(found=points)
    assert {one.name for one in registry.models()} == {"fake", "fake-streaming"}
    assert set(registry.broken) == {"gone", "odd"}
    assert "no_such_module_anywhere" in registry.broken["gone"]
    everything = Registry.installed()
    assert {"pocketsphinx-en-us", "fake"} <= {one.name for one in everything.models()}
    assert everything.broken == {}
    assert everything.resolve("auto").quality > 0


@pytest.mark.parametrize(
    ("name", "capabilities", "params"),
    [
        ("toy", {}, {}),
        ("toy?max_batch=4&max_seconds=5", {"max_batch": 4, "max_seconds": 5}, {}),
        ("toy?cost=0.05&hang_on=w7", {}, {"cost": 0.05, "hang_on": "w7"}),
        ("small?uniform=True", {"uniform": True}, {}),
    ],
)
def test_operators_can_change_a_model(name, capabilities, params):
    configured = REGISTRY.configure(name)
    assert dict(configured.params) == params
    for key, value in capabilities.items():
        assert getattr(configured.capabilities, key) == value


@pytest.mark.parametrize("name", ["toy?max_batch=many", "toy?words=3", "nonsense?x=1", "best?x=1"])
def test_operators_are_told_what_does_not_fit(name):
    with pytest.raises(StenodError) as failure:
        REGISTRY.configure(name)
    assert isinstance(failure.value, BadSettings | ModelNotFound)


def test_listing_imports_nothing_heavy():
    code = (
        "import sys; from stenod.engines.registry import Registry; Registry.installed().models();"
        "print([name for name in ('pocketsphinx', 'torch', 'onnxruntime', 'av', 'anyio') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"
