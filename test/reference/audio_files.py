"""Audio files in every format, and what the ffmpeg command decodes them to.

Writes `test/fixtures/audio/` and `test/goldens/audio-files.safetensors`; needs the programs ffmpeg
and ffprobe on PATH. Ran with ffmpeg 5.1.9 (Debian 12), numpy 2.4.6, safetensors 0.8.0.

For each file the golden holds the first and the last samples of every channel as 16-bit integers
(`<file>.head`, `<file>.tail`, [channels, samples]) and in its metadata, under `files`, the sample
rate, the channel count and the length in samples of the whole decoded file.
"""

import json
import shutil
import subprocess
import tempfile
import wave
from pathlib import Path

import numpy as np
from safetensors.numpy import save

TEST = Path(__file__).resolve().parent.parent
FIXTURES = TEST / "fixtures" / "audio"
GOLDEN = TEST / "goldens" / "audio-files.safetensors"
WINDOW = 1024  # samples of each end that the golden keeps

# Per signal: bit rate of the coded files, seconds of the coded and of the lossless files.
SIGNALS = {
    "sine": {"rate": 44100, "bits": "48k", "seconds": 0.5, "lossless": 0.2},
    "music": {"rate": 44100, "bits": "80k", "seconds": 0.5, "lossless": 0.1},
    "speech": {"rate": 16000, "bits": "8k", "seconds": 6.0, "lossless": 0.5},
}

CODED = {
    "mp3": ["-c:a", "libmp3lame"],
    "ogg": ["-c:a", "libvorbis"],
    "opus": ["-c:a", "libopus", "-ar", "48000"],
    "webm": ["-c:a", "libopus", "-ar", "48000"],
    "m4a": ["-c:a", "aac"],
    "aac": ["-c:a", "aac", "-f", "adts"],
}
LOSSLESS = {
    "wav": ["-c:a", "pcm_s16le"],
    "flac": ["-c:a", "flac", "-metadata_header_padding", "0"],
}
TAGS = ["-metadata", "title=Příliš žluťoučký", "-metadata", "artist=A. Tester"]
EXACT = ["-fflags", "+bitexact", "-flags:a", "+bitexact"]


def sine(time):
    """Return 440 Hz at half scale. -> [1, T]"""
    return 0.5 * np.sin(2 * np.pi * 440 * time)[None]


def music(time):
    """Return decaying chords, panned, over a noisy beat. -> [2, T]"""
    noise = np.random.default_rng(1).standard_normal(time.size)
    beat = 0.1 * noise * np.exp(-30 * (time % 0.125))
    left, right = beat.copy(), beat.copy()
    for step, root in enumerate((220.0, 261.63, 329.63, 392.0)):
        local = np.maximum(time - 0.1 * step, 0)
        envelope = np.where(time >= 0.1 * step, np.exp(-4 * local) * (1 - np.exp(-400 * local)), 0)
        for partial in (1, 2, 3, 5):
            tone = 0.12 / partial * envelope * np.sin(2 * np.pi * root * partial * local)
            left += tone * (1 - step / 5)
            right += tone * (step + 1) / 5
    return np.stack([left, right])


def speech(time):
    """Return a buzz with moving pitch and formants, in syllables. -> [1, T]"""
    pitch = 120 + 25 * np.sin(2 * np.pi * 0.7 * time) + 10 * np.sin(2 * np.pi * 2.3 * time)
    phase = 2 * np.pi * np.cumsum(pitch) / 16000
    formant = 600 + 250 * np.sin(2 * np.pi * 1.1 * time)
    voice = np.zeros_like(time)
    for k in range(1, 25):
        gain = np.exp(-(((k * pitch - formant) / 350) ** 2)) + 0.3 / k
        voice += gain * np.sin(k * phase)
    syllables = np.clip(np.sin(2 * np.pi * 3.1 * time) + 0.3, 0, 1)
    return (0.15 * voice * syllables)[None]


def write_wave(path, samples, rate):
    """Write [channels, T] in ±1 as 16-bit integers."""
    integers = np.round(np.clip(samples, -1, 1) * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.shape[0])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(integers.T.tobytes())


def run(*command):
    """Run a program and return what it prints."""
    return subprocess.run(command, check=True, capture_output=True).stdout


def encode(source, target, options):
    """Encode a WAV file with tags, reproducibly."""
    args = ["-i", source, "-map_metadata", "-1", *options, *TAGS, *EXACT, "-y", target]
    run("ffmpeg", "-v", "error", *map(str, args))


def decode(path):
    """Decode with the ffmpeg command. -> int16 [channels, T], sample rate"""
    entries = ["-show_entries", "stream=sample_rate,channels", "-of", "json"]
    probe = json.loads(run("ffprobe", "-v", "error", *entries, str(path)))["streams"][0]
    raw = run("ffmpeg", "-v", "error", "-i", str(path), "-f", "s16le", "-c:a", "pcm_s16le", "-")
    samples = np.frombuffer(raw, "<i2").reshape(-1, probe["channels"]).T
    return samples, int(probe["sample_rate"])


def make_files(folder):
    """Write every fixture; yields its path."""
    for name, signal in SIGNALS.items():
        for formats, key in ((LOSSLESS, "lossless"), (CODED, "seconds")):
            time = np.arange(round(signal[key] * signal["rate"])) / signal["rate"]
            source = folder / f"{name}-{key}.wav"
            write_wave(source, globals()[name](time), signal["rate"])
            for extension, options in formats.items():
                bits = "16k" if extension == "ogg" and name == "speech" else signal["bits"]
                rate = [] if key == "lossless" else ["-b:a", bits]
                target = FIXTURES / f"{name}.{extension}"
                encode(source, target, [*options, *rate])
                yield target


def main():
    """Write the fixtures and the golden."""
    shutil.rmtree(FIXTURES, ignore_errors=True)
    FIXTURES.mkdir(parents=True)
    tensors, files = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for path in make_files(Path(folder)):
            samples, rate = decode(path)
            channels, length = samples.shape
            files[path.name] = {"sampleRate": rate, "channels": channels, "samples": length}
            tensors[f"{path.name}.head"] = np.ascontiguousarray(samples[:, :WINDOW])
            tensors[f"{path.name}.tail"] = np.ascontiguousarray(samples[:, -WINDOW:])
            print(f"{path.name}: {path.stat().st_size} bytes, {channels} x {length} at {rate} Hz")
    version = run("ffmpeg", "-version").decode().split("\n")[0]
    metadata = {"files": json.dumps(files, sort_keys=True), "ffmpeg": version}
    GOLDEN.write_bytes(save(tensors, metadata))
    total = sum(path.stat().st_size for path in FIXTURES.iterdir())
    print(f"{total} bytes of files, {GOLDEN.stat().st_size} bytes of golden")


if __name__ == "__main__":
    main()
