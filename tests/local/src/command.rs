//! The command line: `cargo local [serve]`, `cargo local demo [FILE]`, `cargo local sweep`, `cargo local openapi` and
//! `cargo local preflight`.

mod admin;
mod cargo_lambda;
mod preflight;
mod serve;
mod sweep;

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::{Options, demo, openapi};

/// The whole media platform on this machine: the HTTP API, its functions, and the AWS services behind them.
#[derive(Debug, Parser)]
#[command(name = "cargo local", bin_name = "cargo local", version, args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(flatten)]
    serve: Serve,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the platform until Ctrl-C (what happens without a command, too).
    Serve(Serve),
    /// Does the main job as a client would: signs up, uploads a file, waits for its metadata, plays it back.
    Demo(Demo),
    /// Does at once what the schedule does every few minutes: ends what nobody finished. In the platform that runs, else in
    /// one that is started for it.
    Sweep(Sweep),
    /// Prints the OpenAPI document of the template's routes. `functions/docs/openapi.json` is what it printed.
    #[command(name = "openapi")]
    OpenApi(OpenApi),
    /// Looks at a real AWS account before `sam deploy`: credentials, quotas, names, permissions and tools. Changes nothing.
    Preflight(Preflight),
}

#[derive(Debug, Clone, Args)]
struct Serve {
    /// The template that is run [default: template.yaml of the repository].
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// Port of the HTTP API.
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// Port of AWS: S3, DynamoDB, SQS, STS, Secrets Manager and CloudFront's API.
    #[arg(long, default_value_t = 4566)]
    aws_port: u16,
    /// Port of the CloudFront distribution, which `--parameter CdnEnabled=true` makes.
    #[arg(long, default_value_t = 3001)]
    cdn_port: u16,
    /// Where the state is kept [default: target/local of the repository].
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "ephemeral")]
    data_dir: Option<PathBuf>,
    /// Keeps nothing.
    #[arg(long)]
    ephemeral: bool,
    /// Runs the functions against another AWS-compatible endpoint, with AWS_REGION, AWS_ACCESS_KEY_ID and
    /// AWS_SECRET_ACCESS_KEY of the environment.
    #[arg(long, value_name = "URL")]
    aws_endpoint: Option<http::Uri>,
    /// Sets a parameter of the template; may be repeated.
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = parameter)]
    parameters: Vec<(String, String)>,
    /// Throttles one in N reads and writes of DynamoDB, to see what the platform makes of it.
    #[arg(long, value_name = "N", conflicts_with = "aws_endpoint")]
    throttle: Option<NonZeroU32>,
    /// Lets one in N writes to DynamoDB conflict with another transaction.
    #[arg(long, value_name = "N", conflicts_with = "aws_endpoint")]
    conflict: Option<NonZeroU32>,
    /// E-mail of the admin account that is made at the first start [default: admin@example.com].
    #[arg(long, value_name = "EMAIL")]
    admin_email: Option<String>,
    /// Its password; without it a random one is made and printed once.
    #[arg(long, value_name = "PASSWORD", requires = "admin_email")]
    admin_password: Option<String>,
}

#[derive(Debug, Clone, Args)]
struct Demo {
    /// A video or audio file; a small bundled video by default.
    file: Option<PathBuf>,
    /// A deployed API, instead of a local stack of its own.
    #[arg(long, value_name = "URL")]
    api: Option<http::Uri>,
}

#[derive(Debug, Clone, Args)]
struct Sweep {
    /// Where the state is kept [default: target/local of the repository].
    #[arg(long, value_name = "DIRECTORY")]
    data_dir: Option<PathBuf>,
    /// Sets a parameter of the template, where the platform does not run yet; may be repeated.
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = parameter)]
    parameters: Vec<(String, String)>,
}

#[derive(Debug, Clone, Args)]
struct OpenApi {
    /// The template that has the routes [default: template.yaml of the repository].
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
struct Preflight {
    /// The profile of the AWS CLI [default: AWS_PROFILE, or the keys of the environment].
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// The region [default: AWS_REGION, or the profile's].
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// The name that the stack is to have.
    #[arg(long, value_name = "NAME", default_value = "media-platform")]
    stack_name: String,
    /// Looks at what CdnEnabled=true needs, too.
    #[arg(long)]
    cdn: bool,
}

/// Where the state is: by default the repository's own `target/local`, wherever the command is run.
fn data_directory(given: Option<PathBuf>) -> PathBuf {
    given.unwrap_or_else(|| {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        package.ancestors().nth(2).unwrap_or(package).join("target/local")
    })
}

fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

/// Does what the command line says. Prints errors in one line, and answers the exit status.
pub async fn run() -> ExitCode {
    let command_line = CommandLine::parse();
    let result = match command_line.command.unwrap_or(Command::Serve(command_line.serve)) {
        Command::Serve(options) => {
            log("warn,dynoxide=error,local::cdn=info,local::gateway=info");
            serve::serve(options).await.map_err(|error| error.to_string())
        }
        Command::Demo(options) => {
            log("warn,dynoxide=error");
            demo::run(options.file.as_deref(), options.api.as_ref()).await.map_err(|error| error.to_string())
        }
        Command::Sweep(options) => {
            log("warn,dynoxide=error");
            sweep::sweep(options).await.map_err(|error| error.to_string())
        }
        Command::OpenApi(OpenApi { template }) => {
            let template = template.unwrap_or_else(|| Options::default().template);
            openapi::document(&template)
                .map(|document| print!("{document}"))
                .map_err(|error| error.to_string())
        }
        Command::Preflight(options) => {
            log("warn");
            preflight::preflight(options).await.map_err(|error| error.to_string())
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn log(default: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .compact()
        .init();
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn serve_is_what_happens_without_a_command() {
        let plain = CommandLine::try_parse_from(["local", "--port", "3001", "--parameter", "A=b=c"]).unwrap();
        assert!(plain.command.is_none());
        assert_eq!(plain.serve.port, 3001);
        assert_eq!(plain.serve.parameters, [("A".to_owned(), "b=c".to_owned())]);
        assert_eq!(plain.serve.template, None);
        let named = CommandLine::try_parse_from(["local", "serve", "--ephemeral"]).unwrap();
        assert!(matches!(named.command, Some(Command::Serve(Serve { ephemeral: true, aws_port: 4566, .. }))));
    }

    #[test]
    fn mistakes_are_refused() {
        for arguments in [
            ["local", "--parameter", "A"].as_slice(),
            &["local", "--data-dir", "x", "--ephemeral"],
            &["local", "--admin-password", "x"],
            &["local", "--port", "70000"],
            &["local", "--throttle", "0"],
            &["local", "--conflict", "2", "--aws-endpoint", "http://127.0.0.1:1"],
            &["local", "sweep", "--port", "3000"],
            &["local", "demo", "a", "b"],
        ] {
            assert!(CommandLine::try_parse_from(arguments).is_err(), "{arguments:?}");
        }
    }
}
