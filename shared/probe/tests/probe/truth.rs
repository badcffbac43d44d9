//! What `ffprobe` says of the sample files, field by field.

use std::fs;
use std::path::Path;

use probe::{FileSource, MAX_READS, MediaKind, MemorySource};
use serde_json::{Map, Value, json};

use crate::counting::CountingSource;
use crate::{folder, probe};

/// Collects every difference, so that one run shows them all.
#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    /// Compares what is expected, and only that: `ours` may say more.
    fn compare(&mut self, path: &str, expected: &Value, ours: &Value) {
        let same = match (expected, ours) {
            (Value::Object(fields), Value::Object(_)) => {
                for (key, value) in fields {
                    self.compare(&format!("{path}.{key}"), value, &ours[key]);
                }
                true
            }
            (Value::Array(items), Value::Array(our_items)) => {
                for (index, (item, our_item)) in items.iter().zip(our_items).enumerate() {
                    self.compare(&format!("{path}[{index}]"), item, our_item);
                }
                items.len() == our_items.len()
            }
            (Value::Number(_), Value::Number(_)) => {
                let (wanted, found) = (expected.as_f64().unwrap(), ours.as_f64().unwrap());
                (wanted - found).abs() <= tolerance(path, wanted)
            }
            _ => expected == ours,
        };
        if !same {
            self.0.push(format!("{path}: expected {expected}, found {ours}"));
        }
    }
}

fn tolerance(path: &str, wanted: f64) -> f64 {
    match path.rsplit('.').next() {
        Some("duration_seconds") => (wanted * 0.01).max(0.05),
        Some("bit_rate") => wanted * 0.02,
        Some("frame_rate") => 0.005,
        _ => 0.0,
    }
}

fn rows(folder: &Path) -> Vec<Value> {
    serde_json::from_slice(&fs::read(folder.join("truth.json")).unwrap()).unwrap()
}

fn open(folder: &Path, row: &Value) -> CountingSource {
    CountingSource::new(fs::read(folder.join(row["file"].as_str().unwrap())).unwrap())
}

#[test]
fn the_bundled_files_are_as_ffprobe_has_them() {
    let folder = folder("tests/media");
    let mut differences = Differences::default();
    let mut reads = Vec::new();
    for row in rows(&folder) {
        let (file, source) = (row["file"].as_str().unwrap(), open(&folder, &row));
        let answer = probe(&source);
        if row["expected_error"] == json!(true) {
            let rejection = answer.expect_err(file).rejection().expect(file);
            assert!(
                ["unsupported_container", "malformed_container"].contains(&rejection.code),
                "{rejection:?}"
            );
        } else {
            let metadata = answer.unwrap();
            differences.compare(file, &row["expected"], &serde_json::to_value(&metadata).unwrap());
            let has_video = row["expected"]["video"] != json!([]);
            assert_eq!(
                metadata.kind(),
                if has_video { MediaKind::Video } else { MediaKind::Audio },
                "{file}"
            );
            reads.push(source.reads());
        }
    }
    assert!(differences.0.is_empty(), "{:#?}", differences.0);
    reads.sort_unstable();
    assert_eq!((reads[reads.len() / 2], reads.last()), (1, Some(&1)), "{reads:?}");
}

#[test]
fn the_bad_files_say_why() {
    let detail = |file: &str| {
        let source = CountingSource::new(fs::read(folder("tests/media").join(file)).unwrap());
        probe(&source).unwrap_err().rejection().unwrap().detail
    };
    assert_eq!(
        detail("v_bad_text.mp4"),
        "The file is not a media file that can be read: it looks like plain text."
    );
    assert_eq!(
        detail("v_bad_truncated.mp4"),
        "The file is damaged or incomplete: it ends 52125 bytes before the end of its media data, and there is no \
         index (moov)."
    );
    assert_eq!(
        detail("v_bad_hugebox.mp4"),
        "The file is damaged or incomplete: it ends 9223372036854775696 bytes before the end of its index (moov)."
    );
}

#[test]
fn metadata_survives_json() {
    let source = CountingSource::new(fs::read(folder("tests/media/v_hevc_hdr.mov")).unwrap());
    let metadata = probe(&source).unwrap();
    let json = serde_json::to_value(&metadata).unwrap();
    assert_eq!(json["video"][0]["hdr"], json!("hdr10"));
    assert!(json["video"][0].get("language").is_none() && json.get("created_at").is_none(), "{json}");
    assert_eq!(serde_json::from_value::<probe::Metadata>(json).unwrap(), metadata);
}

#[tokio::test]
async fn a_file_on_disk_reads_as_in_memory() {
    let path = folder("tests/media/v_h264_aac_moovend.mp4");
    let on_disk = probe::probe(&FileSource::open(&path).unwrap()).await.unwrap();
    let in_memory = probe::probe(&MemorySource::new(fs::read(&path).unwrap())).await.unwrap();
    assert_eq!(on_disk, in_memory);
}

#[test]
fn a_probe_may_move_between_threads() {
    fn assert_send<T: Send>(_: &T) {}
    assert_send(&probe::probe(&MemorySource::new("")));
}

/// Files from many writers that lie beside the repository where it is developed; they are not ours to publish.
#[test]
fn files_from_the_wild_are_as_ffprobe_has_them() {
    let folder = folder("../shared/media/real");
    if !folder.join("truth.json").exists() {
        println!("skipped: there is no {}", folder.display());
        return;
    }
    let mut differences = Differences::default();
    let mut compared = 0;
    for row in &rows(&folder) {
        let (file, source) = (row["file"].as_str().unwrap(), open(&folder, row));
        match probe(&source) {
            Ok(metadata) => {
                differences.compare(file, &in_our_names(row), &serde_json::to_value(&metadata).unwrap());
                let covers = json!(metadata.cover_art.len());
                differences.compare(&format!("{file}.cover_art"), &row["expected"]["cover_art"], &covers);
            }
            Err(error) => differences.0.push(format!("{file}: {error}")),
        }
        assert!(source.reads() <= u64::from(MAX_READS), "{file}: {} reads", source.reads());
        compared += 1;
    }
    assert!(differences.0.is_empty(), "{:#?}", differences.0);
    assert!(compared > 0, "{} names no file", folder.display());
}

/// A row of that collection in this crate's field names, without what it is lenient about and what it leaves open.
fn in_our_names(row: &Value) -> Value {
    const NAMES: [(&str, &str); 7] = [
        ("faststart", "fast_start"),
        ("duration_s", "duration_seconds"),
        ("fps", "frame_rate"),
        ("color_primaries", "primaries"),
        ("color_transfer", "transfer"),
        ("color_space", "matrix"),
        ("color_range", "range"),
    ];
    const COLORS: [&str; 4] = ["primaries", "transfer", "matrix", "range"];
    const SAME: [&str; 13] = [
        "container",
        "format_name",
        "fragmented",
        "bit_rate",
        "codec",
        "codec_string",
        "width",
        "height",
        "rotation",
        "profile",
        "level",
        "channels",
        "sample_rate",
    ];
    let lenient: Vec<&str> =
        row["lenient_fields"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let renamed = |fields: &Value| {
        let mut ours = Map::new();
        for (key, value) in fields.as_object().unwrap() {
            let is_open = value.is_null() || value == &json!(-99) || lenient.contains(&key.as_str());
            // ffprobe's rate follows from its duration, which in these rows is not the one that is expected.
            let rate_follows = key == "bit_rate"
                && (lenient.contains(&"duration_s") || fields.get("duration_ffprobe_s").is_some());
            let name = NAMES.iter().find(|(theirs, _)| theirs == key).map(|(_, ours)| *ours);
            let name = name.or_else(|| SAME.iter().copied().find(|same| same == key));
            let (false, false, Some(name)) = (is_open, rate_follows, name) else { continue };
            if COLORS.contains(&name) {
                ours.entry("color").or_insert_with(|| json!({}))[name] = value.clone();
            } else {
                ours.insert(name.to_owned(), value.clone());
            }
        }
        if let Some(language) = fields.get("language").filter(|language| !language.is_null()) {
            ours.insert("language".to_owned(), language.clone());
        }
        Value::Object(ours)
    };
    let tracks =
        |kind: &str| row["expected"][kind].as_array().unwrap().iter().map(&renamed).collect::<Value>();
    let mut expected = renamed(&row["expected"]);
    expected["video"] = tracks("video");
    expected["audio"] = tracks("audio");
    expected["subtitles"] = row["expected"]["subtitle"]
        .as_array()
        .unwrap()
        .iter()
        .map(|codec| if codec.is_null() { json!({}) } else { json!({ "codec": codec }) })
        .collect();
    let mut tags = row["expected"].get("tags").cloned().unwrap_or_else(|| json!({}));
    if let Some(time) = tags.as_object_mut().unwrap().remove("creation_time") {
        expected["created_at"] = time.as_str().unwrap().replace(".000000Z", "Z").into();
    }
    // Blanks around a value are nothing to show.
    for value in tags.as_object_mut().unwrap().values_mut() {
        *value = value.as_str().unwrap().trim().into();
    }
    expected["tags"] = tags;
    expected
}
