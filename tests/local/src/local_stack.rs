//! All of it, started and stopped as one.

mod start_error;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;

use crate::aws::{Aws, AwsError, AwsOptions, Credentials};
use crate::cdn::Cdn;
use crate::control::Control;
use crate::custom_resource::State;
use crate::data_directory::{Data, DataDirectory};
use crate::functions::{Functions, Invocation, InvocationError, Registry};
use crate::gateway::{Gateway, Inspect};
use crate::mapping::{Mappings, Source};
use crate::schedule::{RunScheduleError, Schedules};
use crate::stack::{Function, Stack};
use crate::template::{Problem, Provisioned, Settings, Template, TemplateError, read};

pub use self::start_error::StartError;

/// Changes a template's tree before it is interpreted.
pub type TemplateEdit = Box<dyn FnOnce(&mut Value) + Send>;

/// How to start.
pub struct Options {
    /// The template; the repository's own by default.
    pub template: PathBuf,
    /// Template parameters instead of their defaults.
    pub parameters: BTreeMap<String, String>,
    /// A change to the template: tests take a permission out.
    pub template_edit: Option<TemplateEdit>,
    /// Where the HTTP API listens; port 0 takes any free one.
    pub api_address: SocketAddr,
    /// Where AWS listens; port 0 takes any free one.
    pub aws_address: SocketAddr,
    /// Where the CloudFront distribution is served, if the template has one; port 0 takes any free one.
    pub cdn_address: SocketAddr,
    /// Where the state is.
    pub data_directory: DataDirectory,
    /// Runs the functions against this endpoint instead of the built-in AWS. What the template declares must exist there.
    pub aws_endpoint: Option<AwsEndpoint>,
    /// The functions' clock.
    pub clock: api::Clock,
    /// The function crates.
    pub functions: Registry,
    /// Looks at each answer of the HTTP API before it is sent.
    pub inspect: Option<Inspect>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            template: PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../template.yaml")),
            parameters: BTreeMap::new(),
            template_edit: None,
            api_address: (Ipv4Addr::LOCALHOST, 0).into(),
            aws_address: (Ipv4Addr::LOCALHOST, 0).into(),
            cdn_address: (Ipv4Addr::LOCALHOST, 0).into(),
            data_directory: DataDirectory::Ephemeral,
            aws_endpoint: None,
            clock: api::Clock::system(),
            functions: Registry::platform(),
            inspect: None,
        }
    }
}

/// An AWS that somebody else runs.
#[derive(Debug, Clone)]
pub struct AwsEndpoint {
    /// Its URL, for all services.
    pub url: http::Uri,
    /// Its region.
    pub region: String,
    /// What all functions sign with.
    pub credentials: Credentials,
}

/// Messages were still in a queue when the time was up.
#[derive(Debug, thiserror::Error)]
#[error("not idle after {waited:?}: {}", busy.join(", "))]
pub struct NotIdle {
    /// How long was waited.
    pub waited: Duration,
    /// The queues that are not empty, with their counts.
    pub busy: Vec<String>,
}

/// The running stack.
pub struct LocalStack {
    api_url: String,
    stack: Stack,
    functions: Functions,
    builder: Builder,
    gateway: Gateway,
    cdn: Option<Cdn>,
    mappings: Mappings,
    schedules: Schedules,
    /// Only where another process can know of it: with a data directory that is kept.
    control: Option<Control>,
    data: Data,
}

/// What runs once the stack is deployed.
struct Started {
    stack: Stack,
    functions: Functions,
    gateway: Gateway,
    cdn: Option<Cdn>,
    mappings: Mappings,
    schedules: Schedules,
    control: Option<Control>,
}

/// The ports that are taken before anything is deployed, because what is deployed is told of them.
struct Listeners {
    api: TcpListener,
    cdn: Option<TcpListener>,
}

/// What makes functions from crates: where AWS is, and who they are there.
struct Builder {
    registry: Registry,
    clock: api::Clock,
    region: String,
    aws: Option<Aws>,
    aws_url: String,
    /// Those of another endpoint.
    credentials: Option<Credentials>,
}

impl LocalStack {
    /// Reads the template, starts AWS, provisions custom resources, builds the functions, and serves.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let data = Data::open(&options.data_directory)?;
        let mut tree = read(&options.template)?;
        if let Some(edit) = options.template_edit {
            edit(&mut tree);
        }
        let api = listen(options.api_address, StartError::ApiPortTaken).await?;
        let api_url = format!("http://{}", bound(&api, options.api_address)?);
        let mut settings =
            Settings { api_url: api_url.clone(), parameters: options.parameters, ..Settings::default() };
        if let Some(endpoint) = &options.aws_endpoint {
            settings.region.clone_from(&endpoint.region);
        }
        let mut template = Template::new(&tree, settings)?;
        let mut listeners = Listeners { api, cdn: None };
        if template.has_distribution() {
            if options.aws_endpoint.is_some() {
                return Err(StartError::CdnOfAnotherEndpoint);
            }
            let cdn = listen(options.cdn_address, StartError::CdnPortTaken).await?;
            template.set_cdn_domain_name(bound(&cdn, options.cdn_address)?.to_string());
            listeners.cdn = Some(cdn);
        }

        let builder = Builder::start(
            options.functions,
            options.clock,
            template.settings().region.clone(),
            options.aws_endpoint,
            AwsOptions { data_directory: data.path.join("aws"), address: options.aws_address },
        )
        .await?;
        let started = Self::run(&template, &builder, &data, listeners, options.inspect).await;
        match started {
            Ok(Started { stack, functions, gateway, cdn, mappings, schedules, control }) => Ok(Self {
                api_url,
                stack,
                functions,
                builder,
                gateway,
                cdn,
                mappings,
                schedules,
                control,
                data,
            }),
            Err(error) => {
                if let Some(aws) = builder.aws {
                    aws.shut_down().await;
                }
                Err(error)
            }
        }
    }

    async fn run(
        template: &Template,
        builder: &Builder,
        data: &Data,
        listeners: Listeners,
        inspect: Option<Inspect>,
    ) -> Result<Started, StartError> {
        let stack = deploy(template, builder, &data.path).await?;
        let functions = builder.functions(stack.functions.values()).await?;
        let mappings = Mappings::start(builder.sources(&stack)?, &functions).await?;
        let schedules = Schedules::start(&stack, &functions)?;
        let Listeners { api, cdn } = listeners;
        let address = bound(&api, (Ipv4Addr::LOCALHOST, 0).into())?;
        let gateway = Gateway::start(api, &stack, &template.settings().api_id, functions.clone(), inspect)
            .map_err(|source| StartError::Listen { address, source })?;
        let cdn = match (cdn, &stack.distribution, &builder.aws) {
            (Some(listener), Some(distribution), Some(aws)) => {
                let clock = builder.clock.clone();
                Some(Cdn::start(listener, distribution, &stack.key_groups, aws.clone(), clock))
            }
            _ => None,
        };
        let control = if data.is_kept() {
            let opened = Control::open(&data.path, schedules.runner().clone()).await;
            Some(opened.map_err(|source| StartError::DataDirectory { path: data.path.clone(), source })?)
        } else {
            None
        };
        Ok(Started { stack, functions, gateway, cdn, mappings, schedules, control })
    }

    /// Where the HTTP API is, without a slash at the end.
    pub fn api_url(&self) -> &str {
        &self.api_url
    }

    /// Where AWS is: the built-in one, or the endpoint that was given.
    pub fn aws_url(&self) -> &str {
        &self.builder.aws_url
    }

    /// Where the CloudFront distribution is, without a slash at the end; `None` where the template has none.
    pub fn cdn_url(&self) -> Option<String> {
        self.stack.distribution.as_ref().map(|distribution| format!("http://{}", distribution.domain_name))
    }

    /// The built-in AWS; `None` with another endpoint.
    pub fn aws(&self) -> Option<&Aws> {
        self.builder.aws.as_ref()
    }

    /// What the template declares.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// The functions' clock.
    pub fn clock(&self) -> &api::Clock {
        &self.builder.clock
    }

    /// Where the state is.
    pub fn data_directory(&self) -> &Path {
        &self.data.path
    }

    /// Lambda's Invoke API: a raw event in, the answer or the function's error out.
    pub async fn invoke(&self, logical_id: &str, event: Value) -> Result<Value, InvocationError> {
        self.functions.invoke(logical_id, event, Invocation::new()).await
    }

    /// The environment variables that Lambda would give the function, with its own access keys and the endpoint of this AWS:
    /// what its binary needs besides the address of a Runtime API.
    pub fn environment_of(&self, function: &Function) -> BTreeMap<String, String> {
        self.builder.variables(function)
    }

    /// Ends every running invocation of a function, wherever it is, as Lambda does when its sandbox crashes, and returns how
    /// many there were. Messages of a killed invocation come back after their visibility timeout.
    pub fn kill(&self, logical_id: &str) -> usize {
        self.functions.kill(logical_id)
    }

    /// Invokes the function of the crate `name` at once, as its schedule in the template would, and returns its answer.
    pub async fn run_schedule(&self, name: &str) -> Result<Value, RunScheduleError> {
        self.schedules.runner().run(name).await
    }

    /// The function that this crate implements.
    pub fn function_of_binary(&self, binary: &str) -> Option<&Function> {
        self.stack.functions.values().find(|function| function.binary == binary)
    }

    /// Waits until no message is left in a queue that feeds a function, neither to be received nor being worked on. With
    /// another AWS endpoint nobody can tell, and it does not wait.
    pub async fn idle(&self, timeout: Duration) -> Result<(), NotIdle> {
        self.idle_for("", timeout).await
    }

    /// As [`idle`](Self::idle), for messages whose body contains `text`: a test that shares a stack waits for its own.
    pub async fn idle_for(&self, text: &str, timeout: Duration) -> Result<(), NotIdle> {
        let Some(aws) = &self.builder.aws else { return Ok(()) };
        let mut changes = self.mappings.changes();
        let empty = async {
            while !self.busy_queues(aws, text).is_empty() {
                if changes.changed().await.is_err() {
                    return;
                }
            }
        };
        // Elapsed or not, what counts is what is in the queues now.
        let _ = tokio::time::timeout(timeout, empty).await;
        let busy = self.busy_queues(aws, text);
        if busy.is_empty() { Ok(()) } else { Err(NotIdle { waited: timeout, busy }) }
    }

    fn busy_queues(&self, aws: &Aws, text: &str) -> Vec<String> {
        let mut busy = Vec::new();
        for mapping in &self.stack.event_source_mappings {
            match aws.queues().counts_containing(&mapping.queue_arn, text) {
                Ok(counts) if counts.visible + counts.in_flight + counts.delayed == 0 => {}
                Ok(counts) => busy.push(format!("{}: {counts:?}", mapping.queue_arn)),
                Err(error) => busy.push(format!("{}: {error}", mapping.queue_arn)),
            }
        }
        busy
    }

    /// Stops in the order in which work flows, each part finishing what it has begun.
    pub async fn shut_down(self) {
        if let Some(control) = self.control {
            control.shut_down().await;
        }
        self.gateway.shut_down().await;
        if let Some(cdn) = self.cdn {
            cdn.shut_down().await;
        }
        self.schedules.shut_down().await;
        self.mappings.shut_down().await;
        drop(self.functions);
        if let Some(aws) = self.builder.aws {
            aws.shut_down().await;
        }
    }
}

impl fmt::Debug for LocalStack {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LocalStack")
            .field("api_url", &self.api_url)
            .field("aws_url", &self.builder.aws_url)
            .field("data_directory", &self.data.path)
            .finish_non_exhaustive()
    }
}

/// Takes a port; one that is taken already is named with the option that chooses another.
async fn listen(
    address: SocketAddr,
    taken: impl FnOnce(u16) -> StartError,
) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| match source.kind() {
        std::io::ErrorKind::AddrInUse => taken(address.port()),
        _ => StartError::Listen { address, source },
    })
}

/// Where a listener is, which was asked for `address`.
fn bound(listener: &TcpListener, address: SocketAddr) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(|source| StartError::Listen { address, source })
}

/// Installs the stack, provisioning custom resources as soon as what they need is there.
async fn deploy(template: &Template, builder: &Builder, data_directory: &Path) -> Result<Stack, StartError> {
    let mut state = State::open(data_directory)?;
    let mut provisioned = Provisioned::new();
    loop {
        let resolution = template.resolve(&provisioned)?;
        if let Some(aws) = &builder.aws {
            aws.install(&resolution.stack).await.map_err(StartError::Aws)?;
        }
        if resolution.pending.is_empty() {
            state.clean_up(&template.settings().stack_id()).await;
            return Ok(resolution.stack);
        }
        for pending in &resolution.pending {
            let provider = resolution.stack.functions.get(&pending.function);
            let functions = builder.functions(provider).await?;
            let answer = state.provision(pending, &template.settings().stack_id(), &functions).await?;
            provisioned.insert(pending.logical_id.clone(), answer);
        }
    }
}

impl Builder {
    async fn start(
        registry: Registry,
        clock: api::Clock,
        region: String,
        endpoint: Option<AwsEndpoint>,
        options: AwsOptions,
    ) -> Result<Self, StartError> {
        if let Some(endpoint) = endpoint {
            let aws_url = endpoint.url.to_string().trim_end_matches('/').to_owned();
            let credentials = Some(endpoint.credentials);
            return Ok(Self { registry, clock, region, aws: None, aws_url, credentials });
        }
        let address = options.address;
        let aws = Aws::start(options).await.map_err(|error| match error {
            AwsError::PortTaken(_) => StartError::AwsPortTaken(address.port()),
            other => StartError::Aws(other),
        })?;
        let aws_url = format!("http://{}", aws.address());
        Ok(Self { registry, clock, region, aws: Some(aws), aws_url, credentials: None })
    }

    async fn functions(
        &self,
        functions: impl IntoIterator<Item = &Function>,
    ) -> Result<Functions, StartError> {
        let mut instances = Vec::new();
        for function in functions {
            let build = self.registry.get(&function.binary).ok_or_else(|| StartError::UnknownBinary {
                function: function.logical_id.clone(),
                binary: function.binary.clone(),
            })?;
            let instance = build(self.environment(function))
                .await
                .map_err(|source| StartError::Function { function: function.logical_id.clone(), source })?;
            instances.push((function.clone(), instance));
        }
        Ok(Functions::new(instances))
    }

    /// The stack's event source mappings, each with the function's credentials.
    fn sources(&self, stack: &Stack) -> Result<Vec<Source>, StartError> {
        let mut sources = Vec::new();
        for mapping in &stack.event_source_mappings {
            let invalid = |problem| TemplateError::At { place: mapping.function.clone(), problem };
            let unresolved = |name: &String| invalid(Problem::UnresolvedReference(name.clone()));
            let queue = stack.queue(&mapping.queue_arn).ok_or_else(|| unresolved(&mapping.queue_arn))?;
            let function =
                stack.functions.get(&mapping.function).ok_or_else(|| unresolved(&mapping.function))?;
            let configuration = self.environment(function).aws().map_err(|source| StartError::Function {
                function: function.logical_id.clone(),
                source: source.into(),
            })?;
            sources.push(Source {
                mapping: mapping.clone(),
                queue_url: queue.url.clone(),
                region: stack.region.clone(),
                configuration,
            });
        }
        Ok(sources)
    }

    fn environment(&self, function: &Function) -> api::Environment {
        api::Environment::new(self.variables(function), self.clock.clone())
    }

    /// The variables that Lambda would give the function, with the endpoint of this AWS.
    fn variables(&self, function: &Function) -> BTreeMap<String, String> {
        let mut variables = function.environment.clone();
        let credentials = match (&self.aws, &self.credentials) {
            (Some(aws), _) => aws.function_credentials(&function.logical_id),
            (None, Some(credentials)) => credentials.clone(),
            (None, None) => Aws::operator_credentials(),
        };
        let mut set = |name: &str, value: String| variables.insert(name.to_owned(), value);
        set("AWS_REGION", self.region.clone());
        set("AWS_DEFAULT_REGION", self.region.clone());
        set("AWS_ENDPOINT_URL", self.aws_url.clone());
        set("AWS_ACCESS_KEY_ID", credentials.access_key_id);
        set("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key);
        if let Some(token) = credentials.session_token {
            set("AWS_SESSION_TOKEN", token);
        }
        set("AWS_LAMBDA_FUNCTION_NAME", function.name.clone());
        set("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.memory_mib.to_string());
        set("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned());
        variables
    }
}
