//! The preflight: against the AWS port, which knows signatures and roles, and against a server that answers what a real
//! account might.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};

use local::aws::Aws;
use local::preflight::{Finding, Plan, Surroundings, Verdict, check};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Local, REGION, UPLOAD_ROLE_ARN};

/// Files and tools of somebody who wants to deploy.
struct Home(TempDir);

impl Home {
    fn new(config: &str, credentials: &str) -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(home.0.path().join(".aws")).unwrap();
        std::fs::write(home.0.path().join(".aws/config"), config).unwrap();
        std::fs::write(home.0.path().join(".aws/credentials"), credentials).unwrap();
        home.tool("sam", "echo SAM CLI, version 1.170.0");
        home.tool("cargo-lambda", "echo cargo-lambda 1.9.2");
        home
    }

    fn tool(&self, name: &str, script: &str) {
        let path = self.0.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn surroundings(&self, endpoint: &str) -> Surroundings {
        let home = self.0.path().to_str().unwrap();
        let variables = [("HOME", home), ("PATH", home), ("AWS_ENDPOINT_URL", endpoint)];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let ask_code = |serial: &str| Err(io::Error::other(format!("nobody was to be asked for {serial}")));
        Surroundings { variables: BTreeMap::from(variables), ask_code: Box::new(ask_code) }
    }
}

fn plan(profile: Option<&str>) -> Plan {
    Plan {
        profile: profile.map(str::to_owned),
        region: None,
        stack_name: "media-platform".to_owned(),
        with_cdn: false,
    }
}

fn finding<'a>(findings: &'a [Finding], subject: &str) -> &'a Finding {
    let found = findings.iter().find(|finding| finding.subject == subject);
    found.unwrap_or_else(|| panic!("no {subject} among {findings:#?}"))
}

fn verdicts(findings: &[Finding]) -> Vec<(&str, Verdict)> {
    findings.iter().map(|finding| (finding.subject, finding.verdict)).collect()
}

/// A profile with the keys of the AWS port's operator, and what else is in it.
fn credentials_of(keys: &local::aws::Credentials, rest: &str) -> String {
    let local::aws::Credentials { access_key_id, secret_access_key, .. } = keys;
    let keys = format!("aws_access_key_id = {access_key_id}\naws_secret_access_key = {secret_access_key}\n");
    format!("[local]\n{keys}\n{rest}")
}

#[tokio::test]
async fn who_asks_is_known_by_keys_and_by_roles() {
    let local = Local::start().await;
    let config = format!(
        "[profile local]\nregion = {REGION}\n\
         [profile role]\nregion = {REGION}\nsource_profile = writer\nrole_arn = {UPLOAD_ROLE_ARN}\nrole_session_name = upload-ada\n\
         [profile circle]\nregion = {REGION}\nsource_profile = circle2\nrole_arn = a\n\
         [profile circle2]\nsource_profile = circle\nrole_arn = b\n"
    );
    let writer = local.function("Writer");
    let writer = format!(
        "[writer]\naws_access_key_id = {}\naws_secret_access_key = {}\naws_session_token = {}\n",
        writer.access_key_id,
        writer.secret_access_key,
        writer.session_token.unwrap_or_default()
    );
    let home = Home::new(&config, &credentials_of(&Aws::operator_credentials(), &writer));
    let of = async |profile: Option<&str>| check(&plan(profile), &home.surroundings(&local.url())).await;

    let operator = of(Some("local")).await;
    let expected = Finding {
        verdict: Verdict::Good,
        subject: "credentials",
        text: "arn:aws:iam::000000000000:user/local".to_owned(),
    };
    assert_eq!(finding(&operator, "credentials"), &expected);
    // What the AWS port has no answer to leaves doubts, and hides nothing else.
    for subject in ["concurrency", "stack", "permissions"] {
        assert_eq!(finding(&operator, subject).verdict, Verdict::Doubtful, "{operator:#?}");
    }
    let session = of(Some("role")).await;
    let text = &finding(&session, "credentials").text;
    assert_eq!(text, "arn:aws:sts::000000000000:assumed-role/stack-upload/upload-ada");

    for (profile, said) in
        [(Some("circle"), "circle again"), (Some("nobody"), "no profile nobody"), (None, "give --profile")]
    {
        let mut surroundings = home.surroundings(&local.url());
        surroundings.variables.insert("AWS_REGION".to_owned(), REGION.to_owned());
        let findings = check(&plan(profile), &surroundings).await;
        let credentials = finding(&findings, "credentials");
        assert_eq!(credentials.verdict, Verdict::Missing);
        assert!(credentials.text.contains(said), "{}", credentials.text);
    }
    assert_eq!(finding(&of(None).await, "region").verdict, Verdict::Missing);
}

#[tokio::test]
async fn wrong_keys_are_named_without_being_shown() {
    let local = Local::start().await;
    let mut keys = Aws::operator_credentials();
    keys.secret_access_key = "not-the-secret-at-all".to_owned();
    let home = Home::new(&format!("[profile local]\nregion={REGION}\n"), &credentials_of(&keys, ""));
    let findings = check(&plan(Some("local")), &home.surroundings(&local.url())).await;
    let credentials = finding(&findings, "credentials");
    assert_eq!(credentials.verdict, Verdict::Missing);
    assert!(credentials.text.contains("SignatureDoesNotMatch"), "{}", credentials.text);
    assert!(!format!("{findings:?}").contains("not-the-secret"));
}

/// A request that an account got: its line, and its body.
#[derive(Clone, Debug)]
struct Asked {
    line: String,
    body: String,
}

impl Asked {
    /// A parameter of its form.
    fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(self.body.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

/// What CloudFormation says where there is no stack.
const NO_STACK: &str = "Stack with id media-platform does not exist";

/// What a real account might answer, by default a good one.
#[derive(Clone)]
struct Account {
    concurrency: u64,
    stack: Option<&'static str>,
    bucket_status: u16,
    denied: &'static [&'static str],
    public_keys: u32,
}

impl Account {
    const NEW: Self =
        Self { concurrency: 1_000, stack: None, bucket_status: 404, denied: &[], public_keys: 0 };

    fn answer(&self, asked: &Asked) -> (u16, String) {
        let action = asked.parameter("Action");
        match (asked.line.as_str(), action.as_deref()) {
            (_, Some("GetCallerIdentity")) => (
                200,
                "<Account>123456789012</Account><Arn>arn:aws:iam::123456789012:user/ada</Arn>".to_owned(),
            ),
            (_, Some("GetSessionToken" | "AssumeRole")) => (
                200,
                "<AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
                    .to_owned(),
            ),
            (_, Some("DescribeStacks")) => self.stack.map_or_else(
                || (400, format!("<Code>ValidationError</Code><Message>{NO_STACK}</Message>")),
                |status| (200, format!("<StackStatus>{status}</StackStatus>")),
            ),
            (_, Some("SimulatePrincipalPolicy")) => (200, self.decisions(asked)),
            (line, _) if line.starts_with("GET /2016-08-19/account-settings/") => {
                (200, format!(r#"{{"AccountLimit": {{"ConcurrentExecutions": {}}}}}"#, self.concurrency))
            }
            (line, _) if line.starts_with("GET /2020-05-31/public-key") => {
                (200, format!("<Quantity>{}</Quantity>", self.public_keys))
            }
            (line, _) if line.starts_with("HEAD /media-platform-") => (self.bucket_status, String::new()),
            _ => (500, format!("<Code>Unexpected</Code><Message>{asked:?}</Message>")),
        }
    }

    fn decisions(&self, asked: &Asked) -> String {
        let names = (1..).map_while(|number| asked.parameter(&format!("ActionNames.member.{number}")));
        let decisions = names.map(|action| {
            let decision = if self.denied.contains(&action.as_str()) { "implicitDeny" } else { "allowed" };
            format!(
                "<member><EvalActionName>{action}</EvalActionName><EvalDecision>{decision}</EvalDecision></member>"
            )
        });
        decisions.collect()
    }

    /// Serves it until the test ends; returns where, and what it is asked.
    async fn serve(self) -> (String, Arc<Mutex<Vec<Asked>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let all = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&all);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let asked = read(&mut stream).await;
                let (status, body) = self.answer(&asked);
                record.lock().unwrap().push(asked);
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        (url, all)
    }
}

async fn read(stream: &mut TcpStream) -> Asked {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                assert!(head.contains("AWS4-HMAC-SHA256"), "unsigned: {head}");
                return Asked { line: head.lines().next().unwrap().to_owned(), body: body.to_owned() };
            }
        }
        assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "{text}");
    }
}

fn home_of_ada(more: &str) -> Home {
    let keys = "[ada]\naws_access_key_id = AKIA\naws_secret_access_key = s\n";
    Home::new(&format!("[profile ada]\nregion = eu-central-1\n{more}"), keys)
}

async fn look(account: Account, plan: &Plan) -> Vec<Finding> {
    let (url, _) = account.serve().await;
    check(plan, &home_of_ada("").surroundings(&url)).await
}

#[tokio::test]
async fn a_good_account_is_good() {
    use Verdict::Good;
    let with_cdn = Plan { with_cdn: true, ..plan(Some("ada")) };
    let findings = look(Account::NEW, &with_cdn).await;
    let expected = [
        ("sam", Good),
        ("cargo-lambda", Good),
        ("stack name", Good),
        ("credentials", Good),
        ("region", Good),
        ("concurrency", Good),
        ("stack", Good),
        ("bucket", Good),
        ("bucket", Good),
        ("permissions", Good),
        ("CloudFront", Good),
    ];
    assert_eq!(verdicts(&findings), expected, "{findings:#?}");
    assert!(finding(&findings, "bucket").text.contains("media-platform-ingest-123456789012-eu-central-1"));
}

#[tokio::test]
async fn what_is_missing_is_named_with_what_to_do() {
    let ada = plan(Some("ada"));
    let with_cdn = Plan { with_cdn: true, ..ada.clone() };
    let long_name = Plan { stack_name: "a".repeat(29), ..ada.clone() };
    for (account, plan, subject, verdict, said) in [
        (Account { concurrency: 10, ..Account::NEW }, &ada, "concurrency", Verdict::Doubtful, "L-B99A9384"),
        (
            Account { stack: Some("ROLLBACK_COMPLETE"), ..Account::NEW },
            &ada,
            "stack",
            Verdict::Missing,
            "sam delete",
        ),
        (Account { stack: Some("UPDATE_COMPLETE"), ..Account::NEW }, &ada, "stack", Verdict::Good, "updated"),
        (Account { bucket_status: 200, ..Account::NEW }, &ada, "bucket", Verdict::Missing, "remove it"),
        (
            Account { bucket_status: 403, ..Account::NEW },
            &ada,
            "bucket",
            Verdict::Doubtful,
            "somebody else's",
        ),
        (
            Account { denied: &["iam:CreateRole"], ..Account::NEW },
            &ada,
            "permissions",
            Verdict::Doubtful,
            "iam:CreateRole",
        ),
        (Account { public_keys: 6, ..Account::NEW }, &with_cdn, "CloudFront", Verdict::Good, "6 of 10"),
        (Account { public_keys: 7, ..Account::NEW }, &with_cdn, "CloudFront", Verdict::Doubtful, "7 of 10"),
        (Account::NEW, &long_name, "stack name", Verdict::Missing, "at most 28"),
    ] {
        let findings = look(account, plan).await;
        let found = finding(&findings, subject);
        assert!(found.verdict == verdict && found.text.contains(said), "{found:#?}");
    }
}

#[tokio::test]
async fn a_tool_that_is_not_there_is_missing() {
    let (url, _) = Account::NEW.serve().await;
    let home = home_of_ada("");
    std::fs::remove_file(home.0.path().join("cargo-lambda")).unwrap();
    home.tool("sam", "echo SAM CLI, version 1.99.0");
    let findings = check(&plan(Some("ada")), &home.surroundings(&url)).await;
    assert_eq!(finding(&findings, "cargo-lambda").verdict, Verdict::Missing);
    assert_eq!(finding(&findings, "sam").verdict, Verdict::Doubtful);
}

/// A device's code goes to STS once: with a role into `AssumeRole`, without one into `GetSessionToken`; what is asked then
/// is asked with the credentials that STS made.
#[tokio::test]
async fn a_profile_with_a_device_is_asked_for_its_code() {
    const DEVICE: &str = "arn:aws:iam::123456789012:mfa/ada";
    let config = format!(
        "mfa_serial = {DEVICE}\n[profile deployer]\nregion = eu-central-1\nrole_arn = arn:aws:iam::123456789012:role/deployer\n\
         source_profile = ada\nmfa_serial = {DEVICE}\nexternal_id = e\nduration_seconds = 1800\n"
    );
    for (profile, operation) in [("ada", "GetSessionToken"), ("deployer", "AssumeRole")] {
        let (url, asked) = Account::NEW.serve().await;
        let home = home_of_ada(&config);
        let mut surroundings = home.surroundings(&url);
        let devices = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&devices);
        surroundings.ask_code = Box::new(move |serial| {
            seen.lock().unwrap().push(serial.to_owned());
            Ok("123456\n".to_owned())
        });
        let findings = check(&plan(Some(profile)), &surroundings).await;
        assert_eq!(finding(&findings, "credentials").verdict, Verdict::Good, "{findings:#?}");
        assert_eq!(*devices.lock().unwrap(), [DEVICE], "{profile}");
        let asked = asked.lock().unwrap().clone();
        let with_code: Vec<_> = asked.iter().filter(|asked| asked.parameter("TokenCode").is_some()).collect();
        let [with_code] = with_code.as_slice() else { panic!("{asked:#?}") };
        assert_eq!(with_code.parameter("Action").as_deref(), Some(operation));
        assert_eq!(with_code.parameter("TokenCode").as_deref(), Some("123456"));
        assert_eq!(with_code.parameter("SerialNumber").as_deref(), Some(DEVICE));
        if operation == "AssumeRole" {
            assert_eq!(with_code.parameter("ExternalId").as_deref(), Some("e"));
            assert_eq!(with_code.parameter("DurationSeconds").as_deref(), Some("1800"));
        }
    }
}

#[tokio::test]
async fn a_process_may_give_the_credentials() {
    let (url, _) = Account::NEW.serve().await;
    let home = home_of_ada(
        "[profile process]\nregion = eu-central-1\ncredential_process = keys\n\
         [profile broken]\nregion = eu-central-1\ncredential_process = half-of-the-keys\n\
         [profile sso]\nregion = eu-central-1\nsso_session = us\n",
    );
    let keys = r#"{"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "s"}"#;
    home.tool("keys", &format!("echo '{keys}'"));
    home.tool("half-of-the-keys", r#"echo '{"SecretAccessKey": "hush"}'"#);
    let export = "configure export-credentials --format process --profile sso";
    home.tool("aws", &format!("test \"$*\" = '{export}' && echo '{keys}'"));
    std::os::unix::fs::symlink("/bin/sh", home.0.path().join("sh")).unwrap();
    for (profile, verdict) in
        [("process", Verdict::Good), ("sso", Verdict::Good), ("broken", Verdict::Missing)]
    {
        let findings = check(&plan(Some(profile)), &home.surroundings(&url)).await;
        let credentials = finding(&findings, "credentials");
        assert_eq!(credentials.verdict, verdict, "{credentials:?}");
        assert!(!credentials.text.contains("hush"));
    }
}
