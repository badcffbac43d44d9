//! The `probe` example against `ffprobe`: the same files, one run, the start of the process included.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How often each is run on each file; the median counts.
const RUNS: usize = 11;
/// How many times as fast as `ffprobe` the example is meant to be.
const GOAL: f64 = 20.0;

pub(crate) fn run() {
    println!("\n{:<36}{:>12}{:>12}{:>10}", "local files", "probe ms", "ffprobe ms", "ratio");
    if time(Command::new("ffprobe").arg("-version")).is_none() {
        println!("skipped: there is no ffprobe on the PATH");
        return;
    }
    let Some(example) = build_example() else {
        println!("skipped: the example could not be built");
        return;
    };
    let mut least = f64::INFINITY;
    for file in files() {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            ours.extend(time(Command::new(&example).arg(&file)));
            theirs.extend(time(
                Command::new("ffprobe")
                    .args(["-v", "error", "-show_format", "-show_streams", "-of", "json"])
                    .arg(&file),
            ));
        }
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let (Some(ours), Some(theirs)) = (median(ours), median(theirs)) else {
            println!("{name:<36}{:>34}", "not read by both");
            continue;
        };
        let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
        least = least.min(ratio);
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        println!("{name:<36}{:>12.2}{:>12.2}{ratio:>10.0}", milliseconds(ours), milliseconds(theirs));
    }
    println!("at least {least:.0} times as fast; the goal is {GOAL}");
}

/// Builds the example as a release has it, next to this benchmark.
fn build_example() -> Option<PathBuf> {
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "--package", "probe", "--example", "probe"])
        .status()
        .ok()?;
    let own = std::env::current_exe().ok()?;
    let example = own.parent()?.parent()?.join("examples/probe");
    (status.success() && example.is_file()).then_some(example)
}

/// Files of the test media that are whole.
fn files() -> Vec<PathBuf> {
    let is_good = |path: &Path| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("v_") && !name.starts_with("v_bad")
    };
    let entries = std::fs::read_dir(crate::media_folder()).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).filter(|path| is_good(path)).collect();
    files.sort();
    files
}

/// How long a command takes; `None` when it fails.
fn time(command: &mut Command) -> Option<Duration> {
    let begun = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?;
    status.success().then(|| begun.elapsed())
}

fn median(mut times: Vec<Duration>) -> Option<Duration> {
    times.sort();
    times.get(times.len() / 2).copied()
}
