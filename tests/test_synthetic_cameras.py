"""Virtual cameras, detector and camera errors: what their docstrings promise, measured back."""

from __future__ import annotations

import math

import pytest
import torch
from mocap_files import compact_mocap
from scipy import stats

from anylift_cli.body.mocap import mocap_points
from anylift_cli.body.skeleton import K
from anylift_cli.geometry.cameras import invert, transform
from anylift_cli.lifting.observation import root_of
from anylift_cli.synthetic.camera_errors import estimated_cameras, estimated_up, rescaled
from anylift_cli.synthetic.detector import detect, estimate_local
from anylift_cli.synthetic.draw import Draw
from anylift_cli.synthetic.virtual_cameras import ASPECT, MODES, PAN, STILL, WALK, draw_cameras

FRAMES = 60
TIMES = torch.arange(FRAMES) / 30
CLIPS = 48
IN_PLACE = (STILL, PAN)


@pytest.fixture(scope="module")
def people() -> torch.Tensor:
    """Walkers (CLIPS, T, 24, 3) who stand, walk, and run, in all directions, from anywhere."""
    joints = torch.from_numpy(compact_mocap()["joints"][:FRAMES])
    axes = torch.eye(3)[:, [1, 2, 0]].expand(FRAMES, 3, 3, 3)
    walk = mocap_points(joints, axes)
    draw = Draw.seeded(11)
    pace = torch.tensor([-1.0, 0, 1.5]).repeat(CLIPS // 3)
    way = (root_of(walk) - root_of(walk)[:1]) * torch.tensor([1.0, 0, 0])
    people = walk + (pace[:, None, None] * way)[:, :, None]
    angle = draw.uniform((CLIPS,), 0, 2 * math.pi)
    turn = torch.zeros(CLIPS, 3, 3)
    turn[:, 0, 0], turn[:, 0, 1], turn[:, 1, 0], turn[:, 1, 1] = angle.cos(), -angle.sin(), angle.sin(), angle.cos()
    turn[:, 2, 2] = 1
    place = torch.cat([draw.uniform((CLIPS, 1, 1, 2), -5, 5), torch.zeros(CLIPS, 1, 1, 1)], -1)
    return people @ turn[:, None].transpose(-1, -2) + place


def filmed(people: torch.Tensor, mode: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Camera poses, points in the camera, and in half image heights."""
    film = draw_cameras(root_of(people), TIMES, torch.full((len(people),), mode), Draw.seeded(seed))
    inside = transform(invert(film.world_from_camera), people)
    return film.world_from_camera, inside, inside[..., :2] / inside[..., 2:] * film.focal[:, None, None, None]


@pytest.mark.parametrize("mode", range(len(MODES)), ids=MODES)
def test_people_stay_in_the_picture_and_in_front_of_the_camera(people, mode):
    _, inside, seen = filmed(people, mode)
    assert inside.norm(dim=-1).min() > 0.3
    assert (inside[..., 2] > 0.3).float().mean() > 0.998, "people pass beside the camera, not through it"
    assert (seen.abs() < torch.tensor([ASPECT, 1.0])).all(-1).float().mean() >= 0.97
    height = 0.5 * (seen[:, 0, :, 1].amax(-1) - seen[:, 0, :, 1].amin(-1))
    assert height.min() > 0.1 and height.max() < 0.95
    assert 0.3 < height.median() < 0.7
    upright = seen[:, :, K["nose"], 1] < seen[:, :, K["left_heel"], 1]
    assert upright.float().mean() > 0.985, "heads are up, unless a runner passes below the camera"


@pytest.mark.parametrize("mode", range(len(MODES)), ids=MODES)
def test_cameras_move_as_their_mode_says(people, mode):
    poses, _, _ = filmed(people, mode)
    moved = (poses[..., :3, 3] - poses[:, :1, :3, 3]).norm(dim=-1).amax(1)
    turned = (poses[..., :3, :3] - poses[:, :1, :3, :3]).flatten(2).norm(dim=-1).amax(1)
    assert torch.allclose(poses[..., :3, :3] @ poses[..., :3, :3].mT, torch.eye(3), atol=1e-5)
    assert torch.allclose(torch.linalg.det(poses[..., :3, :3]), torch.ones(CLIPS, FRAMES), atol=1e-5)
    if mode in IN_PLACE:
        assert moved.max() < 1e-5
    else:
        assert moved.min() > (0.01 if mode == WALK else 0.03)
    assert turned.max() < 1e-5 if mode == STILL else (turned > 0.01).float().mean() > 0.6


def test_orbits_go_round_the_person_in_their_directions(people):
    standing = people[::3] - (root_of(people[::3]) - root_of(people[::3])[:, :1])[:, :, None]
    signs = {}
    for name in ("orbit_cw", "orbit_ccw"):
        poses, _, _ = filmed(standing, MODES.index(name))
        arm = poses[..., :2, 3] - root_of(standing)[..., :2]
        first, later = arm[:, :1], arm[:, 1:]
        turn = torch.atan2(first[..., 0] * later[..., 1] - first[..., 1] * later[..., 0], (first * later).sum(-1))
        signs[name] = turn[torch.arange(len(turn)), turn.abs().argmax(1)]
    assert (signs["orbit_cw"] < -0.03).float().mean() > 0.9 and (signs["orbit_ccw"] > 0.03).float().mean() > 0.9


def test_the_same_seed_gives_the_same_film(people):
    mode = torch.arange(CLIPS) % len(MODES)
    runs = []
    for seed in (5, 5, 6):
        draw = Draw.seeded(seed)
        film = draw_cameras(root_of(people), TIMES, mode, draw)
        inside = transform(invert(film.world_from_camera), people)
        detected = detect(inside, film.focal, TIMES, draw)
        errors = estimated_cameras(film.world_from_camera, TIMES, mode > PAN, draw)
        runs.append([film.world_from_camera, film.focal, *detected, estimate_local(inside, TIMES, draw), errors])
    assert all(torch.equal(first, second) for first, second in zip(runs[0], runs[1], strict=True))
    assert not any(torch.equal(first, third) for first, third in zip(runs[0], runs[2], strict=True))


def test_a_single_frame_can_be_filmed(people):
    film = draw_cameras(root_of(people[:9, :1]), TIMES[:1], torch.arange(9), Draw.seeded(0))
    assert torch.isfinite(film.world_from_camera).all()


def test_draws_are_what_they_say():
    draw = Draw.seeded(1)
    assert stats.kstest(draw.uniform((20_000,), -2, 3).numpy(), stats.uniform(-2, 5).cdf).pvalue > 1e-3
    assert stats.kstest(draw.normal((20_000,), 0.3).numpy(), stats.norm(0, 0.3).cdf).pvalue > 1e-3
    assert draw.chance((20_000,), 0.2).float().mean() == pytest.approx(0.2, abs=0.015)
    assert sorted(set(draw.integers((200,), 4).tolist())) == [0, 1, 2, 3]


def test_wander_is_smooth_noise_of_unit_deviation():
    times = torch.arange(300) / 30
    path = Draw.seeded(2).wander((400, 5, 2), times, 0.1, 1.0)
    assert path.shape == (400, 300, 5, 2)
    assert path.std() == pytest.approx(1.0, abs=0.03) and path.mean() == pytest.approx(0.0, abs=0.05)
    speed = path.diff(dim=1) * 30
    assert speed.abs().max() < 2 * math.pi * 1.0 * 6 * (2 / 6) ** 0.5
    spectrum = torch.fft.rfft(path - path.mean(1, keepdim=True), dim=1).abs().square().mean((0, 2, 3))
    assert spectrum[13:].sum() < 0.03 * spectrum.sum(), "nothing above 1 Hz but the leakage of 10 s"


def test_spans_are_as_many_and_as_long_as_told():
    spans = Draw.seeded(3).spans((4000,), 100, 0.25, 5, 12)
    assert spans.shape == (4000, 100)
    assert spans.any(1).float().mean() == pytest.approx(0.25, abs=0.03)
    lengths = spans.sum(1)[spans.any(1) & ~spans[:, -1]]
    assert lengths.min() == 5 and lengths.max() == 12
    jumps = spans.float().diff(dim=1).abs().sum(1)
    assert jumps.max() <= 2, "one span each"


@pytest.fixture(scope="module")
def detections() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """400 people who stand still before cameras that see them whole: errors per person height, and confidence."""
    shape = torch.randn(24, 3, generator=torch.Generator().manual_seed(1)) * 0.1
    shape[:, 1] = torch.linspace(-0.85, 0.85, 24)
    points = (shape + torch.tensor([0, 0, 5.0])).expand(400, 300, 24, 3)
    times = torch.arange(300) / 30
    true = points[..., :2] / points[..., 2:]
    seen, confidence = detect(points, torch.full((400,), 2.0), times, Draw.seeded(8))
    height = float(true[0, 0, :, 1].amax() - true[0, 0, :, 1].amin())
    return (seen - true) / height, confidence, seen


def test_the_noise_is_as_large_as_it_says(detections):
    """0.2 % from frame to frame, 0.7 % slowly changing, 0.5 % lasting, of the person's height in the image.

    People differ in level, exp(N(0, 0.35)), so that a root mean square over people is exp(0.35²) = 1.13 times as large.
    """
    error, confidence, _ = detections
    sure = ((confidence > 0.75) & (error.abs().amax(-1) < 0.15)).transpose(1, 2)
    error = error.transpose(1, 2)
    spread = math.exp(0.35**2)
    together = sure[..., 2:] & sure[..., 1:-1] & sure[..., :-2]
    fast = error.diff(n=2, dim=2)[together].square().mean().sqrt() / math.sqrt(6)
    often = sure.sum(-1) > 250
    lasting = (error * sure[..., None]).sum(2)[often] / sure.sum(-1)[often][:, None]
    slow = (error[often] - lasting[:, None])[sure[often]]
    assert often.sum() > 4000
    assert fast / spread == pytest.approx(0.0022, rel=0.1)
    assert lasting.square().mean().sqrt() / spread == pytest.approx(0.005, rel=0.12)
    assert slow.square().mean().sqrt() / spread == pytest.approx(math.hypot(0.007, 0.0022), rel=0.1)


def test_doubtful_points_are_worse_and_say_so(detections):
    error, confidence, _ = detections
    size = error.norm(dim=-1)
    doubtful, sure = (confidence > 0) & (confidence < 0.71), confidence > 0.75
    assert doubtful.any() and sure.any() and ((confidence == 0) | doubtful | sure).all()
    assert size[doubtful].median() == pytest.approx(3 * float(size[sure].median()), rel=0.2)
    assert confidence.max() < 1 and confidence[confidence > 0].min() > 0.29


def test_unobserved_points_are_nought(detections):
    _, confidence, seen = detections
    gone = confidence == 0
    assert (seen[gone] == 0).all() and (seen[~gone] != 0).any(-1).all()
    assert 0.02 < gone.float().mean() < 0.12
    assert gone.all(-1).any(), "whole frames are lost sometimes"


def test_points_outside_the_picture_or_behind_the_camera_are_unobserved():
    points = torch.zeros(6, 50, 24, 3)
    points[..., 1] = torch.linspace(-0.85, 0.85, 24)
    points[..., 2] = 5
    points[0, :, K["nose"], 0] = 1.8 * 5
    points[1, :, K["nose"], 1] = -1.2 * 5
    points[2, :, K["nose"], 2] = -2
    points[3, :, K["nose"], 2] = 0.2
    _, confidence = detect(points, torch.ones(6), torch.arange(50) / 30, Draw.seeded(0))
    assert (confidence[:4, :, K["nose"]] == 0).all()
    assert (confidence[4:, :, K["nose"]] > 0).float().mean() > 0.7


def test_left_and_right_limbs_are_exchanged_now_and_then():
    points = torch.zeros(1500, 60, 24, 3)
    points[..., 1] = torch.linspace(-0.85, 0.85, 24)
    points[..., 2] = 5
    for name, index in K.items():
        points[..., index, 0] = {"left": -1.0, "right": 1.0}.get(name.split("_")[0], 0.0)
    seen, confidence = detect(points, torch.full((1500,), 1.5), torch.arange(60) / 30, Draw.seeded(4))
    wrong = (seen[..., K["left_wrist"], 0] > 0.1) & (confidence[..., K["left_wrist"]] > 0)
    assert 0.003 < wrong.any(1).float().mean() < 0.02
    assert not (seen[..., K["left_hip"], 0] > 0.1).any(), "hips and face are not part of a limb"


def test_local_points_are_root_centred(people):
    _, inside, _ = filmed(people, STILL)
    local = estimate_local(inside, TIMES, Draw.seeded(3))
    assert root_of(local).abs().max() < 1e-5


def test_local_points_err_most_along_the_line_of_sight(people):
    _, inside, _ = filmed(people, STILL)
    inside = inside.repeat(10, 1, 1, 1)
    local = estimate_local(inside, TIMES, Draw.seeded(3))
    root = root_of(inside)
    true = inside - root[:, :, None]
    ratio = (local * true).sum((1, 2, 3)) / true.square().sum((1, 2, 3))
    assert ratio.log().std() == pytest.approx(0.03, rel=0.35)
    error = local - ratio[:, None, None, None] * true
    gaze = root / root.norm(dim=-1, keepdim=True)
    along = (error * gaze[:, :, None]).sum(-1)
    across = (error - along[..., None] * gaze[:, :, None]).square().sum(-1).div(2).mean().sqrt()
    assert 0.06 < along.square().mean().sqrt() < 0.11
    assert 0.02 < across < 0.045


def test_estimated_cameras_stay_near_the_true_ones(people):
    poses = filmed(people, WALK)[0].repeat(6, 1, 1, 1)
    moving = torch.arange(len(poses)) % 2 == 0
    found = estimated_cameras(poses, TIMES, moving, Draw.seeded(1))
    moved = (found[..., :3, 3] - poses[..., :3, 3]).norm(dim=-1)
    between = found[..., :3, :3] @ poses[..., :3, :3].mT
    angle = torch.acos(((between.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2).clamp(-1, 1))
    assert (moved[~moving] == 0).all() and 0.005 < moved[moving].square().mean().sqrt() < 0.012
    rms = [float(angle[which].square().mean().sqrt()) for which in (~moving, moving)]
    assert rms[0] == pytest.approx(0.004 * math.sqrt(3 / 3), rel=0.25)
    assert rms[1] == pytest.approx(3 * rms[0], rel=0.2)


def test_estimated_up_is_off_by_the_tilt_about_each_axis():
    up = estimated_up(torch.full((5000,), 0.03), Draw.seeded(0))
    assert torch.allclose(up.norm(dim=-1), torch.ones(5000))
    assert up[:, :2].std(0).tolist() == pytest.approx([0.03, 0.03], rel=0.05)
    assert torch.equal(estimated_up(torch.zeros(2), Draw.seeded(0)), torch.tensor([[0.0, 0, 1], [0, 0, 1]]))


def test_rescaled_paths_grow_about_their_first_camera(people):
    poses = filmed(people, WALK)[0][:2]
    grown = rescaled(poses, torch.tensor([2.0, 1.0]))
    assert torch.equal(grown[1], poses[1]) and torch.equal(grown[0, 0], poses[0, 0])
    step = poses[0, 7, :3, 3] - poses[0, 0, :3, 3]
    assert torch.allclose(grown[0, 7, :3, 3], poses[0, 0, :3, 3] + 2 * step, atol=1e-6)
    assert torch.equal(grown[..., :3, :3], poses[..., :3, :3])
