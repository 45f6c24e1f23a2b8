"""Reading and writing: frames carry their own number as a bar code, so that place and content are checked at once."""

from __future__ import annotations

import os
import tracemalloc
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from anylift_cli.errors import AnyliftError, NothingFoundError, UsageError
from anylift_cli.video import VideoWriter, probe, read_frames, read_frames_at

BITS = 8


def coded_image(number: int, width: int = 128, height: int = 96) -> np.ndarray:
    """Vertical bars, one per bit of `number`; the top quarter is dark red, so that turns and colours show."""
    image = np.zeros((height, width, 3), np.uint8)
    for bit in range(BITS):
        image[:, bit * width // BITS : (bit + 1) * width // BITS] = 225 if number >> bit & 1 else 25
    image[: height // 4] = (150, 20, 30)
    return image


def decoded_number(image: np.ndarray) -> int:
    height, width = image.shape[:2]
    levels = [image[height * 3 // 4, int((bit + 0.5) * width / BITS)].mean() for bit in range(BITS)]
    return sum(1 << bit for bit, level in enumerate(levels) if level > 125)


def write_coded(
    path: Path,
    ticks: list[int],
    *,
    rate: int = 30,
    size: tuple[int, int] = (128, 96),
    codec: str = "libx264",
    rotation: int = 0,
    pixel_aspect: Fraction | None = None,
    options: dict[str, str] | None = None,
) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv444p" if size[0] % 2 or size[1] % 2 else "yuv420p"
        stream.codec_context.time_base = Fraction(1, rate)
        if pixel_aspect:
            stream.sample_aspect_ratio = pixel_aspect
        if rotation:
            stream.set_display_rotation(rotation)
        for number, tick in enumerate(ticks):
            frame = av.VideoFrame.from_ndarray(coded_image(number, *size), format="rgb24")
            frame.pts, frame.time_base = tick, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """90 frames at 30/s with B-frames and a key frame every 12."""
    path = tmp_path / "a clip with späces.mp4"
    write_coded(path, list(range(90)), options={"g": "12", "bf": "3"})
    return path


def test_every_frame_with_its_number_and_time(clip: Path) -> None:
    frames = list(read_frames(clip))
    assert [f.index for f in frames] == list(range(90))
    assert [decoded_number(f.image) for f in frames] == list(range(90))
    np.testing.assert_allclose([f.time for f in frames], np.arange(90) / 30, atol=1e-9)
    assert frames[0].image.shape == (96, 128, 3) and frames[0].image.dtype == np.uint8


def test_probe(clip: Path) -> None:
    info = probe(clip)
    assert (info.width, info.height, info.rotation, info.frame_count, info.codec) == (128, 96, 0, 90, "h264")
    assert info.duration == pytest.approx(3.0) and info.fps == pytest.approx(30.0)
    assert info.focal_35mm is None


@pytest.mark.parametrize("container", ["mp4", "mov", "mkv", "avi", "ts"])
@pytest.mark.parametrize("options", [{"g": "12", "bf": "3"}, {"g": "12", "x264-params": "open-gop=1:bframes=3"}])
def test_seeking_gives_the_frames_that_decoding_everything_gives(
    tmp_path: Path, container: str, options: dict[str, str]
) -> None:
    path = tmp_path / f"clip.{container}"
    write_coded(path, list(range(60)), options=options)
    whole = list(read_frames(path))
    assert [decoded_number(f.image) for f in whole] == [f.index for f in whole] == list(range(60))
    for first in range(0, 60, 7):
        part = list(read_frames(path, start=whole[first].time, end=whole[first].time + 0.25))
        assert [f.index for f in part] == list(range(first, first + len(part))) and part
        for frame in part:
            assert frame.time == whole[frame.index].time
            np.testing.assert_array_equal(frame.image, whole[frame.index].image)


def test_start_and_end_are_half_open(clip: Path) -> None:
    frames = list(read_frames(clip, start=1.0, end=2.0))
    assert [f.index for f in frames] == list(range(30, 60))
    assert [f.index for f in read_frames(clip, end=0.05)] == [0, 1]
    assert [f.index for f in read_frames(clip, start=2.95)] == [89]


def test_chosen_frames(clip: Path) -> None:
    chosen = [0, 1, 17, 40, 41, 89]
    frames = list(read_frames_at(clip, chosen))
    assert [f.index for f in frames] == [decoded_number(f.image) for f in frames] == chosen
    assert list(read_frames_at(clip, [])) == []


@pytest.mark.parametrize("chosen", [[3, 2], [2, 2], [-1, 2]])
def test_chosen_frames_must_ascend(clip: Path, chosen: list[int]) -> None:
    with pytest.raises(UsageError, match="ascend"):
        list(read_frames_at(clip, chosen))


@pytest.mark.parametrize("chosen", [[5, 90], [4000]])
def test_chosen_frames_must_exist(clip: Path, chosen: list[int]) -> None:
    with pytest.raises(AnyliftError, match=f"no frame {chosen[-1]}"):
        list(read_frames_at(clip, chosen))


def test_ranges_that_hold_nothing(clip: Path) -> None:
    with pytest.raises(NothingFoundError, match="no frames from 50 s to 60 s"):
        list(read_frames(clip, start=50, end=60))
    with pytest.raises(UsageError, match="after the start"):
        list(read_frames(clip, start=2, end=1))


@pytest.mark.parametrize(("container", "resolution"), [("mp4", 1e-9), ("mkv", 1e-3)])
def test_variable_frame_rate_keeps_its_times(tmp_path: Path, container: str, resolution: float) -> None:
    path = tmp_path / f"vfr.{container}"
    ticks = np.cumsum(np.random.default_rng(0).integers(1, 9, 50)).tolist()
    write_coded(path, ticks, rate=100, options={"g": "10"})
    expected = (np.array(ticks) - ticks[0]) / 100
    frames = list(read_frames(path))
    assert [decoded_number(f.image) for f in frames] == list(range(50))
    np.testing.assert_allclose([f.time for f in frames], expected, atol=resolution)
    assert probe(path).fps == pytest.approx(49 / expected[-1], rel=max(resolution, 1e-6))
    part = list(read_frames(path, start=1.005))
    assert part[0].index == int(np.searchsorted(expected, 1.005))
    assert [f.time for f in part] == [f.time for f in frames[part[0].index :]]


def test_frames_that_an_edit_list_hides_do_not_count(tmp_path: Path, clip: Path) -> None:
    """A clip trimmed without encoding again, between key frames, as phones do it."""
    path, tick, hidden = tmp_path / "trimmed.mp4", 512, 17
    with (
        av.open(str(clip)) as source,
        av.open(str(path), "w", options={"avoid_negative_ts": "disabled"}) as trimmed,
    ):
        stream = trimmed.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None and packet.pts >= 12 * tick:
                packet.pts, packet.dts, packet.stream = packet.pts - hidden * tick, packet.dts - hidden * tick, stream
                trimmed.mux(packet)
    frames = list(read_frames(path))
    assert [decoded_number(f.image) for f in frames] == list(range(hidden, 90))
    assert [f.index for f in frames] == list(range(90 - hidden))
    np.testing.assert_allclose([f.time for f in frames], np.arange(90 - hidden) / 30, atol=1e-9)
    assert [decoded_number(f.image) for f in read_frames(path, start=2.0)] == list(range(60 + hidden, 90))
    assert probe(path).frame_count == 90 - hidden


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotation_metadata_is_applied(tmp_path: Path, rotation: int) -> None:
    path = tmp_path / "turned.mp4"
    write_coded(path, [0, 1, 2], rotation=rotation)
    stored = coded_image(1)
    shown = list(read_frames(path))[1].image
    np.testing.assert_allclose(shown, np.rot90(stored, rotation // 90), atol=40)
    assert np.abs(shown.astype(int) - np.rot90(stored, rotation // 90)).mean() < 4
    info = probe(path)
    assert (info.height, info.width) == shown.shape[:2]
    assert info.rotation == (360 - rotation) % 360


def test_mirrored_display_matrix(tmp_path: Path) -> None:
    path = tmp_path / "selfie.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.set_display_rotation(0, hflip=True)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(coded_image(1), format="rgb24")))
        container.mux(stream.encode())
    shown = next(read_frames(path)).image
    assert np.abs(shown.astype(int) - coded_image(1)[:, ::-1]).mean() < 4


@pytest.mark.parametrize(("aspect", "shown"), [(Fraction(4, 3), (171, 96)), (Fraction(3, 4), (128, 128))])
def test_anamorphic_pixels_become_square(tmp_path: Path, aspect: Fraction, shown: tuple[int, int]) -> None:
    path = tmp_path / "wide.mp4"
    write_coded(path, [0, 1, 2, 3], pixel_aspect=aspect)
    frames = list(read_frames(path))
    assert all(f.image.shape == (shown[1], shown[0], 3) for f in frames)
    assert [decoded_number(f.image) for f in frames] == [0, 1, 2, 3]
    assert (probe(path).width, probe(path).height) == shown


def test_odd_sizes(tmp_path: Path) -> None:
    path = tmp_path / "odd.mp4"
    write_coded(path, [0, 1, 2], size=(131, 77))
    assert [f.image.shape for f in read_frames(path)] == [(77, 131, 3)] * 3
    assert [decoded_number(f.image) for f in read_frames(path)] == [0, 1, 2]


def test_max_size_shrinks_the_longer_side_and_never_enlarges(clip: Path) -> None:
    small = list(read_frames(clip, max_size=64))
    assert {f.image.shape for f in small} == {(48, 64, 3)}
    assert [decoded_number(f.image) for f in small] == list(range(90))
    assert next(read_frames(clip, max_size=500)).image.shape == (96, 128, 3)


def test_one_frame(tmp_path: Path) -> None:
    path = tmp_path / "one.mp4"
    write_coded(path, [0])
    (frame,) = read_frames(path)
    assert (frame.index, frame.time, probe(path).frame_count) == (0, 0.0, 1)
    assert probe(path).duration == pytest.approx(1 / 30)


@pytest.mark.parametrize(
    ("name", "codec"), [("a.webm", "libvpx"), ("b.webm", "libvpx-vp9"), ("c.mp4", "libx265"), ("d.avi", "mpeg4")]
)
def test_other_codecs(tmp_path: Path, name: str, codec: str) -> None:
    path = tmp_path / name
    options = {"auto-alt-ref": "1", "lag-in-frames": "12"} if codec == "libvpx" else {}
    write_coded(path, list(range(40)), codec=codec, options=options)
    frames = list(read_frames(path))
    assert [f.index for f in frames] == [decoded_number(f.image) for f in frames] == list(range(40))
    np.testing.assert_allclose([f.time for f in frames], np.arange(40) / 30, atol=1.1e-3)
    assert [decoded_number(f.image) for f in read_frames_at(path, [3, 30])] == [3, 30]
    assert probe(path).duration == pytest.approx(40 / 30, rel=0.01)


def test_raw_stream_without_timestamps(tmp_path: Path) -> None:
    path = tmp_path / "raw.h264"
    write_coded(path, list(range(20)), rate=25)
    frames = list(read_frames(path))
    assert [decoded_number(f.image) for f in frames] == list(range(20))
    np.testing.assert_allclose([f.time for f in frames], np.arange(20) / 25, atol=1e-9)


def packet_places(path: Path) -> list[tuple[int, int]]:
    """Position and size of each picture packet, in decoding order."""
    with av.open(str(path)) as container:
        return [(p.pos, p.size) for p in container.demux(video=0) if p.size]


@pytest.mark.parametrize("kept", [5, 50])
def test_truncated_file_yields_its_intact_part(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "cut.mp4"
    with VideoWriter(path, 128, 96, 30) as writer:
        for number in range(90):
            writer.write(coded_image(number))
    position, size = packet_places(path)[kept]
    os.truncate(path, position + size // 2)
    frames = list(read_frames(path))
    assert len(frames) == probe(path).frame_count == kept
    assert [f.index for f in frames] == list(range(kept))
    assert [decoded_number(f.image) for f in frames[: kept - 3]] == list(range(kept - 3))


def test_damage_in_the_middle_keeps_the_numbers_of_the_rest(clip: Path) -> None:
    data = bytearray(clip.read_bytes())
    for position, size in packet_places(clip)[30:33]:
        data[position : position + size] = bytes(size)
    clip.write_bytes(data)
    frames = list(read_frames(clip))
    late = [f for f in frames if f.index >= 48]
    assert [f.index for f in late] == [decoded_number(f.image) for f in late] == list(range(48, 90))
    assert [f.index for f in read_frames(clip, start=2.0)] == list(range(60, 90))


def test_no_frame_can_be_decoded(clip: Path) -> None:
    data = bytearray(clip.read_bytes())
    for position, size in packet_places(clip):
        data[position : position + size] = bytes(size)
    clip.write_bytes(data)
    for attempt in (probe, lambda path: list(read_frames(path))):
        with pytest.raises(AnyliftError, match="not one frame can be decoded"):
            attempt(clip)


def write_sound(path: Path, picture: bool = False) -> None:
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=8000)
        cover = container.add_stream("mjpeg", rate=1) if picture else None
        if cover:
            cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
            cover.disposition = av.stream.Disposition.attached_pic
            container.mux(cover.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        container.mux(sound.encode(frame))
        container.mux(sound.encode())


@pytest.mark.parametrize("picture", [False, True])
def test_sound_only(tmp_path: Path, picture: bool) -> None:
    path = tmp_path / "song.mp4"
    write_sound(path, picture)
    with pytest.raises(AnyliftError, match="no moving pictures"):
        probe(path)


@pytest.mark.parametrize("attempt", [probe, lambda path: list(read_frames(path))])
def test_files_that_are_no_videos(tmp_path: Path, attempt) -> None:
    empty, text, noise = tmp_path / "empty.mp4", tmp_path / "text.mp4", tmp_path / "noise.mp4"
    empty.touch()
    text.write_text("not a video")
    noise.write_bytes(np.random.default_rng(0).bytes(5000))
    for path, words in [
        (tmp_path / "missing.mp4", "does not exist"),
        (tmp_path, "is a folder"),
        (empty, "0 bytes"),
        (text, "not a video"),
        (noise, "not a video"),
    ]:
        with pytest.raises(AnyliftError, match=words) as caught:
            attempt(path)
        assert str(path) in caught.value.message and "\n" not in caught.value.message


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root and Windows read every file")
def test_unreadable_file(clip: Path) -> None:
    clip.chmod(0)
    with pytest.raises(AnyliftError, match="permission denied"):
        probe(clip)


def test_only_the_named_file_is_opened(clip: Path, tmp_path: Path) -> None:
    simple = clip.rename(tmp_path / "clip.ts.mp4")
    playlist, concat = tmp_path / "list.m3u8", tmp_path / "list.ffconcat"
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{simple.name}\n#EXT-X-ENDLIST\n")
    concat.write_text(f"ffconcat version 1.0\nfile {simple.name}\n")
    for path in (playlist, concat):
        with pytest.raises(AnyliftError, match="not a video"):
            probe(path)
    for name in (
        f"concat:{simple}",
        f"file:{simple}",
        "http://localhost/clip.mp4",
        f"subfile,,start,0,end,0,,:{simple}",
    ):
        with pytest.raises(AnyliftError, match="does not exist"):
            probe(name)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc to list open files")
def test_a_closed_reader_frees_the_file(clip: Path) -> None:
    frames = read_frames(clip)
    next(frames)
    frames.close()
    held = [os.path.realpath(entry) for entry in Path("/proc/self/fd").glob("*")]
    assert str(clip) not in held


def test_reading_streams(tmp_path: Path) -> None:
    path = tmp_path / "long.mp4"
    write_coded(path, list(range(240)), size=(320, 240))
    tracemalloc.start()
    for _ in read_frames(path):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * 320 * 240 * 3


def test_focal_length_of_the_phone(tmp_path: Path) -> None:
    path = tmp_path / "phone.mov"
    name = "com.apple.quicktime.camera.focal_length.35mm_equivalent"
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as container:
        container.metadata[name] = "26"
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(coded_image(1), format="rgb24")))
        container.mux(stream.encode())
    assert probe(path).focal_35mm == 26.0
    assert probe(path).metadata[name] == "26"


def test_writer_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "out" / "written.mp4"
    with VideoWriter(path, 128, 96, 30000 / 1001) as writer:
        for number in range(40):
            writer.write(coded_image(number))
        assert not path.exists()
    frames = list(read_frames(path))
    np.testing.assert_allclose([f.time for f in frames], np.arange(40) * 1001 / 30000, atol=1e-9)
    for number, frame in enumerate(frames):
        inside = np.abs(frame.image.astype(int) - coded_image(number))
        assert inside[12, 64].max() <= 6 and inside[72, 8::16].max() <= 6
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
    head = path.read_bytes()
    assert head.index(b"moov") < head.index(b"mdat")


def test_writer_keeps_given_times(tmp_path: Path) -> None:
    path = tmp_path / "times.mp4"
    times = np.array([4.0, 4.05, 4.3, 4.31, 5.0])
    with VideoWriter(path, 128, 96, 30) as writer:
        for number, time in enumerate(times):
            writer.write(coded_image(number), time)
    frames = list(read_frames(path))
    np.testing.assert_allclose([f.time for f in frames], times - 4.0, atol=1e-5)
    assert [decoded_number(f.image) for f in frames] == [0, 1, 2, 3, 4]


def test_writer_pads_odd_sizes(tmp_path: Path) -> None:
    path = tmp_path / "odd.mp4"
    image = coded_image(1, 131, 77)
    with VideoWriter(path, 131, 77, 25) as writer:
        writer.write(image)
    (frame,) = read_frames(path)
    assert frame.image.shape == (78, 132, 3)
    assert np.abs(frame.image[:77, :131].astype(int) - image).mean() < 4


def test_writer_leaves_nothing_behind_when_it_fails(tmp_path: Path) -> None:
    path = tmp_path / "broken.mp4"
    path.write_bytes(b"older result")
    with pytest.raises(KeyError), VideoWriter(path, 128, 96, 25) as writer:
        writer.write(coded_image(1))
        raise KeyError
    with pytest.raises(AnyliftError, match="no images"), VideoWriter(path, 128, 96, 25):
        pass
    with pytest.raises(ValueError, match="image must be"), VideoWriter(path, 128, 96, 25) as writer:
        writer.write(coded_image(1, 64, 48))
    assert [p.name for p in tmp_path.iterdir()] == ["broken.mp4"]
    assert path.read_bytes() == b"older result"
