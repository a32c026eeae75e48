import numpy as np
import pytest
import torch

from model.backends import CudaGraphBackend, EagerBackend, OnnxBackend
from model.batch import Batch
from model.device import resolve_device
from model.ensemble import Ensemble
from model.mpcl import Mpcl
from model.predictor import Predictor
from realtime.errors import InputError
from realtime.window import Window
from tests.model.people import TINY, windows
from tests.model.test_checkpoint import make_checkpoint

CHECKPOINT = make_checkpoint()
SIZES = {one.name: len(one.features) for one in CHECKPOINT.modalities}


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(CHECKPOINT, device="cpu")


def _windows(batch: Batch) -> list[Window]:
    return [
        Window(
            participant=f"p{row % 2}",
            time=float(row),
            features={},
            normalised={name: values[row] for name, values in batch.features.items()},
            mask={name: bool(mask[row]) for name, mask in batch.mask.items()},
            valid={},
            quality={},
            age={},
            warm_up=False,
            baseline="running",
        )
        for row in range(len(batch))
    ]


def _batch(count: int, seed: int = 0) -> Batch:
    batch = windows(count, seed, SIZES)
    draw = np.random.default_rng(seed)
    for mask in batch.mask.values():
        mask[:] = draw.random(count) < 0.7
    return batch


def test_windows_become_distributions(predictor: Predictor) -> None:
    prediction = predictor(_windows(_batch(20)))
    assert prediction.distributions.dtype == np.float64
    assert prediction.distributions.shape == (20, 10)
    assert (prediction.distributions >= 0).all()
    np.testing.assert_allclose(prediction.distributions.sum(axis=1), 1, atol=1e-9)
    assert prediction.radius.tolist() == [0.123] * 20
    assert ((prediction.intensity >= 0) & (prediction.intensity <= 1)).all()
    assert predictor.emotions == CHECKPOINT.labels.emotions
    assert predictor.negative == (False,) * 5 + (True,) * 5
    assert predictor.training_mean.sum() == pytest.approx(1)
    assert predictor([]).distributions.shape == (0, 10)


def test_a_window_does_not_depend_on_the_others(predictor: Predictor) -> None:
    batch = _batch(300)
    together = predictor.predict(batch)
    for rows in (np.array([0]), np.array([299]), np.arange(7, 100, 9)):
        alone = predictor.predict(batch[rows])
        np.testing.assert_allclose(
            alone.distributions, together.distributions[rows], atol=1e-6, rtol=0
        )
        np.testing.assert_allclose(alone.intensity, together.intensity[rows], atol=1e-6, rtol=0)


def test_what_is_masked_does_not_count(predictor: Predictor) -> None:
    batch = windows(4, 0, SIZES)
    gone = predictor(_windows(batch.without(["eda"])))
    batch.mask["eda"][:] = False
    batch.features["eda"][:] = np.nan
    np.testing.assert_array_equal(predictor(_windows(batch)).distributions, gone.distributions)
    absent = predictor.predict(batch.only(["ppg", "temperature", "acc"]))
    np.testing.assert_array_equal(absent.distributions, gone.distributions)


def test_backends_on_the_cpu_agree() -> None:
    eager, onnx = EagerBackend(CHECKPOINT.ensemble), OnnxBackend(CHECKPOINT.ensemble)
    for count in (1, 3, 256):
        table = CHECKPOINT.ensemble.pack(_batch(count, seed=count))
        np.testing.assert_allclose(onnx(table), eager(table), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "roles", [{"eeg": "primary"}, {"eeg": "primary", "acc": "behavioural"}], ids=len
)
def test_backends_agree_for_rigs_of_few_modalities(roles: dict[str, str]) -> None:
    torch.manual_seed(0)
    sizes = dict.fromkeys(roles, 6)
    ensemble = Ensemble([Mpcl(TINY, sizes, roles, 10)]).eval()
    table = ensemble.pack(windows(7, sizes=sizes))
    np.testing.assert_allclose(
        OnnxBackend(ensemble)(table), EagerBackend(ensemble)(table), atol=1e-5, rtol=0
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this computer")
@pytest.mark.parametrize("count", [1, 3, 256])
def test_cuda_and_cpu_agree(count: int) -> None:
    table = CHECKPOINT.ensemble.pack(_batch(count, seed=count))
    eager = EagerBackend(CHECKPOINT.ensemble)(table)
    backend = CudaGraphBackend(CHECKPOINT.ensemble, torch.device("cuda"))
    for _ in range(2):  # captured, then replayed
        np.testing.assert_allclose(backend(table), eager, atol=1e-5, rtol=0)
    batch = _batch(300)
    on_device = Predictor(CHECKPOINT, device="cuda").predict(batch)
    on_cpu = Predictor(CHECKPOINT, device="cpu").predict(batch)
    np.testing.assert_allclose(on_device.distributions, on_cpu.distributions, atol=1e-5, rtol=0)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this computer has a CUDA device")
def test_asking_for_cuda_where_there_is_none() -> None:
    with pytest.raises(InputError, match=r"--device cuda.* no CUDA device; use --device cpu"):
        Predictor(CHECKPOINT, device="cuda")
    assert resolve_device("auto").type == "cpu"


def test_unknown_devices_are_refused() -> None:
    with pytest.raises(InputError, match="'tpu'"):
        Predictor(CHECKPOINT, device="tpu")


def test_features_of_another_number_are_refused(predictor: Predictor) -> None:
    other = windows(2, 0, {**SIZES, "eda": SIZES["eda"] + 1})
    with pytest.raises(InputError, match="'eda' has"):
        predictor.predict(other)


def test_explanations(predictor: Predictor) -> None:
    batch = windows(3, 0, SIZES)
    batch.mask["eda"][1] = False
    batch.mask["acc"][2] = False
    whole, without_eda, still = predictor.explain(_windows(batch), prototypes=3)
    assert whole.sources == ("ppg+eda", "ppg+temperature", "acc")
    for one in (whole, without_eda, still):
        assert one.attention.shape == (10, 3)
        np.testing.assert_allclose(one.attention.sum(axis=1), 1, atol=1e-6)
    strengths = [strength for _, strength in whole.physiological]
    assert len(strengths) == 3
    assert strengths == sorted(strengths, reverse=True)
    assert (without_eda.attention[:, 0] == 0).all()
    assert (whole.attention[:, 0] > 0).all()
    assert still.behavioural == ()
    assert len(whole.behavioural) == 3
    assert predictor.explain([]) == ()
