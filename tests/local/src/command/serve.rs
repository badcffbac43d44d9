//! `cargo local serve`.

use std::net::Ipv4Addr;

use super::{Serve, admin, cargo_lambda, data_directory};
use crate::aws::{Credentials, Disturbance};
use crate::{AwsEndpoint, DataDirectory, LocalStack, Options, StartError};

/// Why `serve` ends with an error.
#[derive(Debug, thiserror::Error)]
pub(super) enum ServeError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Admin(#[from] admin::AdminError),
    #[error(transparent)]
    CargoLambda(#[from] cargo_lambda::CargoLambdaError),
    #[error("{0} must be set to use another AWS endpoint")]
    MissingVariable(&'static str),
    #[error("signals cannot be received: {0}")]
    Signal(#[from] std::io::Error),
}

/// Runs the platform until Ctrl-C or SIGTERM.
pub(super) async fn serve(options: Serve) -> Result<(), ServeError> {
    let data_directory = if options.ephemeral {
        DataDirectory::Ephemeral
    } else {
        DataDirectory::Persistent(data_directory(options.data_dir))
    };
    let disturbance = Disturbance {
        conflict_one_in: options.conflict,
        throttle_one_in: options.throttle,
        ..Disturbance::default()
    };
    let defaults = Options::default();
    let stack = LocalStack::start(Options {
        template: options.template.unwrap_or(defaults.template),
        parameters: options.parameters.into_iter().collect(),
        api_address: (Ipv4Addr::LOCALHOST, options.port).into(),
        aws_address: (Ipv4Addr::LOCALHOST, options.aws_port).into(),
        cdn_address: (Ipv4Addr::LOCALHOST, options.cdn_port).into(),
        data_directory: data_directory.clone(),
        aws_endpoint: options.aws_endpoint.map(endpoint).transpose()?,
        ..defaults
    })
    .await?;
    let served = async {
        let admin = admin::ensure(&stack, options.admin_email, options.admin_password).await?;
        if let Some(aws) = stack.aws() {
            aws.disturb(disturbance);
        }
        if let DataDirectory::Persistent(_) = &data_directory {
            cargo_lambda::write(&stack)?;
        }
        announce(&stack, &admin, &data_directory);
        stopped().await?;
        Ok(())
    }
    .await;
    stack.shut_down().await;
    served
}

/// Another AWS, with the credentials and the region of this process.
fn endpoint(url: http::Uri) -> Result<AwsEndpoint, ServeError> {
    let variable = |name: &'static str| std::env::var(name).map_err(|_| ServeError::MissingVariable(name));
    let credentials = Credentials {
        access_key_id: variable("AWS_ACCESS_KEY_ID")?,
        secret_access_key: variable("AWS_SECRET_ACCESS_KEY")?,
        session_token: std::env::var("AWS_SESSION_TOKEN").ok(),
    };
    Ok(AwsEndpoint { url, region: variable("AWS_REGION")?, credentials })
}

fn announce(stack: &LocalStack, admin: &admin::Admin, data_directory: &DataDirectory) {
    println!("API     {}", stack.api_url());
    if stack.aws().is_some() {
        let region = &stack.stack().region;
        println!("AWS     {}  (access key local, secret key local-secret, region {region})", stack.aws_url());
        println!(
            "        AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local-secret aws --region {region} \
             --endpoint-url {} s3 ls",
            stack.aws_url()
        );
    } else {
        println!("AWS     {}  (what the template declares must exist there)", stack.aws_url());
    }
    if let Some(cdn_url) = stack.cdn_url() {
        println!("CDN     {cdn_url}");
    }
    match admin {
        admin::Admin::Made { email, password: Some(password) } => {
            println!("Admin   {email}  password {password}  (shown this once)");
        }
        admin::Admin::Made { email, password: None } => println!("Admin   {email}  with the password given"),
        admin::Admin::Kept { email } => println!("Admin   {email}  with the password of its first start"),
        admin::Admin::NotInTemplate => println!("Admin   none: the template has no function that makes one"),
    }
    match data_directory {
        DataDirectory::Persistent(path) => println!("Data    {}", path.display()),
        DataDirectory::Ephemeral => println!("Data    none is kept"),
    }
    println!("Stop with Ctrl-C.");
}

#[cfg(unix)]
async fn stopped() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn stopped() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
