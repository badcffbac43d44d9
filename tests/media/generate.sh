#!/usr/bin/env bash
# Makes the sample media in this folder, and truth.json: what ffprobe says of them, in the platform's field names.
#
#   ./generate.sh          encode everything anew, then write truth.json
#   ./generate.sh truth    only write truth.json, for the files as they are
#
# Needs ffmpeg and ffprobe 5.1 or later with libx264, libx265, libopus and libmp3lame, and python3.
# Two versions of ffmpeg seldom encode the same bytes; truth.json holds the checksums of the files beside it.
set -euo pipefail
cd "$(dirname "$0")"

encode() { ffmpeg -hide_banner -loglevel error -nostdin -y "$@"; }

# A test picture: size, frames per second, seconds.
picture() { printf '%s\n' -f lavfi -i "testsrc=size=$1:rate=$2:duration=$3"; }
# A 600 Hz tone: samples per second, seconds.
tone() { printf '%s\n' -f lavfi -i "sine=frequency=600:sample_rate=$1:duration=$2"; }

media() {
    local scratch
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' RETURN
    local h264=(-c:v libx264 -preset medium -pix_fmt yuv420p)
    local named=(-metadata title=Sample -metadata creation_time=2024-05-06T07:08:09Z)

    # The index behind the media data, as ffmpeg writes by default; then in front of it.
    encode $(picture 640x360 25 5) $(tone 44100 5) "${h264[@]}" -c:a aac -b:a 64k "${named[@]}" v_h264_aac_moovend.mp4
    encode -i v_h264_aac_moovend.mp4 -c copy -movflags +faststart v_h264_aac_faststart.mp4

    # Held upright: stored lying, to be turned 90 degrees clockwise. ffmpeg 5 takes the angle of the rotate tag
    # counter-clockwise; later versions take it, also counter-clockwise, as an input option.
    encode $(picture 640x360 30000/1001 4) "${h264[@]}" -an "$scratch/lying.mp4"
    local turn=() tag=()
    if ffmpeg -hide_banner -h full 2>/dev/null | grep -q -- -display_rotation; then
        turn=(-display_rotation:v:0 -90)
    else
        tag=(-metadata:s:v:0 rotate=270)
    fi
    encode "${turn[@]}" -i "$scratch/lying.mp4" -c copy "${tag[@]}" -metadata location=+48.8577+002.2950/ \
        v_rotated90_videoonly.mp4

    # Fragments of a second, whose sum is nowhere said.
    encode $(picture 320x240 30 4) $(tone 48000 4) "${h264[@]}" -g 30 -c:a aac -b:a 64k \
        -movflags frag_keyframe+empty_moov+default_base_moof v_fragmented.mp4

    # QuickTime, HEVC of 10 bit with the colours of HDR10.
    encode $(picture 320x180 24 2) -c:v libx265 -preset fast -x265-params log-level=none -tag:v hvc1 \
        -pix_fmt yuv420p10le -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc v_hevc_hdr.mov

    encode $(tone 44100 10) -c:a aac -b:a 64k "${named[@]}" v_aac.m4a
    encode $(tone 44100 10) -c:a libmp3lame -q:a 6 -ac 2 "${named[@]}" -metadata artist=Nobody v_vbr.mp3

    # Matroska with two languages and subtitles.
    printf '1\n00:00:00,000 --> 00:00:02,000\nHello\n' > "$scratch/hello.srt"
    encode $(picture 480x270 25 4) $(tone 44100 4) $(tone 48000 4) -i "$scratch/hello.srt" \
        -map 0 -map 1 -map 2 -map 3 "${h264[@]}" -c:a:0 aac -ac:a:0 2 -c:a:1 libopus -c:s srt \
        -metadata:s:a:0 language=eng -metadata:s:a:1 language=fra v_two_audio_subs.mkv

    # Every other container, small.
    local h264_aac=($(picture 160x120 25 2) $(tone 44100 2) "${h264[@]}" -c:a aac -b:a 48k)
    encode "${h264_aac[@]}" v_h264_aac.ts
    encode "${h264_aac[@]}" v_h264_aac.flv
    encode $(picture 160x120 25 2) $(tone 48000 2) -c:v mpeg2video -c:a ac3 -b:a 96k -mpegts_m2ts_mode 1 \
        -metadata:s:a language=deu v_mpeg2_ac3.m2ts
    encode $(picture 160x120 30000/1001 2) $(tone 48000 2) -c:v libvpx-vp9 -pix_fmt yuv420p -b:v 60k -c:a libopus -b:a 32k \
        "${named[@]}" v_vp9_opus.webm
    # As a browser records: of unknown length, without a duration.
    encode $(picture 160x120 30 2) $(tone 48000 2) -c:v libvpx -b:v 60k -c:a libopus -b:a 32k -f webm -live 1 \
        -cluster_time_limit 500 pipe:1 | cat > v_vp8_opus_live.webm
    encode $(picture 160x120 25 2) $(tone 48000 2) -c:v libaom-av1 -pix_fmt yuv420p -cpu-used 8 -b:v 40k -c:a flac v_av1_flac.mkv
    encode $(picture 160x120 25 2) $(tone 44100 2) -c:v libtheora -b:v 60k -c:a libvorbis v_theora_vorbis.ogv
    encode $(tone 44100 4) -c:a libvorbis "${named[@]}" v_vorbis.ogg
    encode $(tone 48000 4) -c:a libopus -b:a 24k "${named[@]}" v_opus.opus
    encode $(tone 44100 1) -c:a flac -f ogg v_flac.oga
    encode $(tone 44100 1) -c:a flac "${named[@]}" v_flac.flac
    encode $(tone 48000 1) -c:a pcm_s24le -ac 1 "${named[@]}" v_pcm24.wav
    encode $(tone 8000 1) -c:a pcm_s16le -rf64 always v_rf64.wav
    encode $(tone 22050 1) -c:a adpcm_ima_wav v_adpcm.wav
    encode $(tone 8000 1) -c:a pcm_s16be "${named[@]}" v_pcm16.aiff
    encode $(tone 8000 1) -c:a pcm_mulaw v_mulaw.au
    encode $(tone 22050 1) -c:a alac v_alac.caf
    encode $(picture 160x120 25 2) $(tone 44100 2) -c:v mpeg4 -c:a libmp3lame -b:a 48k "${named[@]}" v_mpeg4_mp3.avi
    encode $(picture 160x120 25 2) $(tone 44100 2) -c:v flv -c:a libmp3lame -b:a 48k v_flv1_mp3.flv
    encode $(picture 160x120 25 2) $(tone 44100 2) -c:v wmv2 -b:v 60k -c:a wmav2 -b:a 48k "${named[@]}" v_wmv2_wmav2.wmv
    encode $(tone 44100 2) -c:a wmav1 -b:a 48k "${named[@]}" v_wmav1.wma
    encode $(picture 176x144 15 2) $(tone 44100 2) -c:v h263 -c:a aac -b:a 32k v_h263_aac.3gp
    encode $(tone 44100 2) -c:a aac -b:a 32k v_aac.aac
    encode $(tone 48000 1) -c:a ac3 -b:a 96k v_ac3.ac3
    encode $(tone 48000 1) -c:a eac3 -b:a 96k v_eac3.eac3
    encode $(tone 44100 2) -c:a mp2 -b:a 64k v_mp2.mp2
    # Neither a Xing header nor tags: the duration is that of the bit rate.
    encode $(tone 44100 3) -c:a libmp3lame -b:a 48k -write_xing 0 -id3v2_version 0 v_cbr.mp3

    # Three that must be refused: cut off before the index, not media, and a box that claims 2^63 bytes.
    head -c 20000 v_h264_aac_moovend.mp4 > v_bad_truncated.mp4
    printf 'This is a text file with a video extension.\n' > v_bad_text.mp4
    {
        printf '\0\0\0\040ftypisom\0\0\002\0isomiso2avc1mp41'
        printf '\0\0\0\001moov\200\0\0\0\0\0\0\0'
        head -c 96 /dev/zero
    } > v_bad_hugebox.mp4
}

truth() {
    python3 - v_*.* <<'PYTHON'
import hashlib, json, re, subprocess, sys
from fractions import Fraction

def ffprobe(name):
    command = ["ffprobe", "-v", "error", "-show_format", "-show_streams", "-show_data", "-of", "json", name]
    answer = subprocess.run(command, capture_output=True, text=True)
    found = json.loads(answer.stdout) if answer.returncode == 0 else {}
    return found if found.get("streams") else None

def extradata(stream):
    lines = stream.get("extradata", "").strip().splitlines()
    columns = (re.match(r"[0-9a-f]+: ((?:[0-9a-f]{2,4} ?)*)", line) for line in lines)
    return bytes.fromhex("".join(match[1].replace(" ", "") for match in columns if match))

def codec_string(stream):
    """RFC 6381, for the codecs where the configuration tells it at a glance."""
    if stream["codec_name"] == "h264" and extradata(stream)[:1] == b"\x01":
        return "avc1." + extradata(stream)[1:4].hex()
    if stream["codec_name"] == "aac":
        return {"LC": "mp4a.40.2", "HE-AAC": "mp4a.40.5", "HE-AACv2": "mp4a.40.29"}.get(stream.get("profile"))
    return {"opus": "opus"}.get(stream["codec_name"])

def top_boxes(data):
    """Types and order of the outermost boxes of an MP4."""
    position, kinds = 0, []
    while position + 8 <= len(data):
        size, kind = int.from_bytes(data[position:position + 4], "big"), data[position + 4:position + 8]
        if size == 1:
            size = int.from_bytes(data[position + 8:position + 16], "big")
        kinds.append(kind)
        position += size if size >= 8 else len(data)
    return kinds

def known(**fields):
    return {key: value for key, value in fields.items() if value not in (None, {}, "unknown")}

def profile(stream):
    """Its name; a number stands for one that has none."""
    name = stream.get("profile", "")
    return None if name.isdigit() else name or None

def video(stream):
    turned = [side["rotation"] for side in stream.get("side_data_list", []) if "rotation" in side]
    return known(
        codec=stream["codec_name"], codec_string=codec_string(stream), profile=profile(stream),
        level=level if (level := stream.get("level", -1)) >= 0 else None, width=stream["width"], height=stream["height"],
        rotation=int(-turned[0] % 360) if turned else 0,
        display_aspect_ratio=stream.get("display_aspect_ratio"),
        frame_rate=round(float(Fraction(stream["avg_frame_rate"])), 3),
        color=known(primaries=stream.get("color_primaries"), transfer=stream.get("color_transfer"),
                    matrix=stream.get("color_space"), range=stream.get("color_range")))

def audio(stream):
    return known(
        codec=stream["codec_name"], codec_string=codec_string(stream), profile=profile(stream),
        channels=stream["channels"], sample_rate=int(stream["sample_rate"]),
        language=stream.get("tags", {}).get("language"))

def subtitle(stream):
    return known(codec=stream["codec_name"], language=stream.get("tags", {}).get("language"))

def expected(data, answer):
    form, kinds = answer["format"], top_boxes(data)
    first_name = form["format_name"].split(",")[0]
    container = {"mov": "mp4", "aac": "adts"}.get(first_name, first_name)
    tags = form.get("tags", {})
    shown = {key.lower(): value for key, value in tags.items() if key.lower() in ("title", "artist", "location")}
    of = lambda kind, row: [row(stream) for stream in answer["streams"] if stream["codec_type"] == kind]
    fields = known(
        container=container, format_name=form["format_name"], size_bytes=len(data),
        duration_seconds=float(form["duration"]) if "duration" in form else None,
        bit_rate=int(form["bit_rate"]) if "bit_rate" in form else None,
        created_at=re.sub(r"\.0+Z$", "Z", tags["creation_time"]) if "creation_time" in tags else None)
    if container == "mp4":
        before = kinds[:kinds.index(b"mdat")] if b"mdat" in kinds else kinds
        fields.update(fast_start=b"moov" in before, fragmented=b"moof" in kinds)
    fields.update(tags=shown, video=of("video", video), audio=of("audio", audio), subtitles=of("subtitle", subtitle))
    return fields

rows = []
for name in sorted(sys.argv[1:]):
    data = open(name, "rb").read()
    row = {"file": name, "sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
    answer = ffprobe(name)
    row.update({"expected": expected(data, answer)} if answer else {"expected_error": True})
    rows.append(row)
with open("truth.json", "w") as out:
    json.dump(rows, out, indent=1)
    out.write("\n")
PYTHON
}

case "${1:-all}" in
    all) media; truth ;;
    truth) truth ;;
    *) echo "usage: $0 [truth]" >&2; exit 2 ;;
esac
