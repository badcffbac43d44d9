//! Every sample of `tests/media`: what the platform says of it is what ffprobe says.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::platform::{File, Platform, expect_problem};

crate::tests![
    every_good_file_becomes_ready_with_its_metadata,
    every_bad_file_is_rejected_with_a_reason,
    what_was_cut_off_is_rejected_but_for_a_recording,
];

fn rows() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../media/truth.json");
    let rows: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    rows.as_array().unwrap().clone()
}

async fn every_good_file_becomes_ready_with_its_metadata(platform: &Platform) {
    let user = platform.sign_up().await;
    let good: Vec<Value> = rows().into_iter().filter(|row| row.get("expected").is_some()).collect();
    assert!(good.len() >= 34, "{} files", good.len());
    for row in good {
        let file = File::sample(row["file"].as_str().unwrap());
        let media = platform.upload(&user, &file).await;
        assert_eq!(media["status"], "ready", "{media:#}");
        compare(&file.name, &media["metadata"], &row["expected"]);
        assert_eq!(media["duration_seconds"], media["metadata"]["duration_seconds"]);
    }
}

fn compare(name: &str, actual: &Value, expected: &Value) {
    let duration = actual["duration_seconds"].as_f64().unwrap();
    // A recording of a browser says no duration; what is measured by its end is more than ffprobe tells.
    if let Some(truth) = expected["duration_seconds"].as_f64() {
        assert!(
            (duration - truth).abs() <= f64::max(0.05, truth * 0.01),
            "{name}: {duration} s, not {truth} s"
        );
    }
    for field in ["container", "fast_start", "fragmented"] {
        if let Some(expected) = expected.get(field) {
            assert_eq!(&actual[field], expected, "{name}: {field}");
        }
    }
    let tracks = [
        ("video", &["codec", "codec_string", "width", "height", "rotation", "frame_rate"][..]),
        ("audio", &["codec", "codec_string", "channels", "sample_rate"]),
        ("subtitles", &["codec", "language"]),
    ];
    for (kind, fields) in tracks {
        let (actual, expected) = (actual[kind].as_array().unwrap(), expected[kind].as_array().unwrap());
        assert_eq!(actual.len(), expected.len(), "{name}: {kind}");
        for (actual, expected) in actual.iter().zip(expected) {
            for field in fields.iter().filter(|field| expected.get(**field).is_some()) {
                match (actual[field].as_f64(), expected[field].as_f64()) {
                    (Some(actual), Some(expected)) => {
                        assert!((actual - expected).abs() < 0.01, "{name}: {field} {actual}, not {expected}");
                    }
                    _ => assert_eq!(actual[field], expected[field], "{name}: {field}"),
                }
            }
        }
    }
}

async fn every_bad_file_is_rejected_with_a_reason(platform: &Platform) {
    let user = platform.sign_up().await;
    let mut bad: Vec<File> = rows()
        .iter()
        .filter(|row| row.get("expected_error").is_some())
        .map(|row| File::sample(row["file"].as_str().unwrap()))
        .collect();
    assert!(bad.len() >= 3);
    // A video without pictures, sound with pictures, and types that promise another container.
    bad.push(File { content_type: "video/mp4", ..File::sample("v_aac.m4a") });
    bad.push(File { content_type: "audio/webm", ..File::sample("v_vp9_opus.webm") });
    bad.push(File { content_type: "video/webm", ..File::video() });
    bad.push(File { content_type: "audio/flac", ..File::sample("v_vbr.mp3") });
    for file in bad {
        let media = platform.upload(&user, &file).await;
        assert_eq!(media["status"], "rejected", "{}: {media:#}", file.name);
        let detail = media["failure"]["detail"].as_str().unwrap();
        assert!(detail.ends_with('.') && detail.contains(' '), "{}: {detail}", file.name);
        assert_eq!(media["metadata"], Value::Null);
        is_not_served(platform, &user, &media).await;
    }
}

async fn what_was_cut_off_is_rejected_but_for_a_recording(platform: &Platform) {
    let user = platform.sign_up().await;
    let cut = |name: &str| {
        let mut file = File::sample(name);
        file.bytes.truncate(file.bytes.len() - 5000);
        file
    };
    let film = platform.upload(&user, &cut("v_h264_aac_faststart.mp4")).await;
    assert_eq!((&film["status"], &film["failure"]["code"]), (&json!("rejected"), &json!("truncated")));
    let recording = platform.upload(&user, &cut("v_fragmented.mp4")).await;
    assert_eq!((&recording["status"], &recording["metadata"]["truncated"]), (&json!("ready"), &json!(true)));
}

async fn is_not_served(platform: &Platform, user: &crate::platform::User, media: &Value) {
    let id = media["id"].as_str().unwrap();
    for path in
        [format!("/media/{id}/stream-url"), format!("/media/stream/{id}"), format!("/content/{id}/stream")]
    {
        expect_problem(platform.get(user, &path).await, StatusCode::CONFLICT, "not_ready").await;
    }
    let stranger = platform.sign_up().await;
    let answer = platform.get(&stranger, &format!("/media/{id}")).await;
    expect_problem(answer, StatusCode::NOT_FOUND, "not_found").await;
    let published = platform
        .s3()
        .list_objects_v2()
        .bucket(platform.bucket("MediaBucket"))
        .prefix(format!("media/{id}"))
        .send();
    assert_eq!(published.await.unwrap().key_count(), Some(0));
    let jobs = platform.items(&format!("MEDIA#{id}"), "JOB#").await;
    let job = jobs.first().unwrap();
    assert_eq!((jobs.len(), job["status"].as_s().unwrap().as_str()), (1, "failed"));
    assert_eq!(json!(job["error"].as_s().unwrap()), media["failure"]["detail"]);
}
