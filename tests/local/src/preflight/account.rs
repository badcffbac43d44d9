//! Signed calls to the account. Answers are taken apart by the few elements that are asked for.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use form_urlencoded::Serializer;
use http::header::CONTENT_TYPE;
use http::{Method, Request, StatusCode};

use crate::demo::client::{Client, ClientError, full, read};

/// A question takes a moment; a host that does not answer is no answer.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Where services without regions are signed for.
const GLOBAL_REGION: &str = "us-east-1";

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error(transparent)]
    Transport(#[from] ClientError),
    #[error("no answer within {} s", TIMEOUT.as_secs())]
    TooSlow,
    #[error("the request cannot be signed: {0}")]
    Signing(String),
    #[error("{code}: {message}")]
    Refused { status: StatusCode, code: String, message: String },
    #[error("the answer has no {0}")]
    Unreadable(&'static str),
}

impl CallError {
    /// Whether the caller may not ask this.
    pub(super) fn is_denial(&self) -> bool {
        matches!(self, Self::Refused { status: StatusCode::FORBIDDEN, .. })
            || matches!(self, Self::Refused { code, .. } if code.starts_with("AccessDenied"))
    }
}

/// The text of a successful answer.
pub(super) struct Answer(String);

impl Answer {
    /// What the first XML element of this name holds, which is no other element.
    pub(super) fn element(&self, name: &str) -> Option<&str> {
        element(&self.0, name)
    }

    /// What all of them hold.
    pub(super) fn elements<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let mut rest = self.0.as_str();
        std::iter::from_fn(move || {
            let found = element(rest, name)?;
            rest = rest.split_once(&format!("</{name}>"))?.1;
            Some(found)
        })
    }

    /// As JSON.
    pub(super) fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_str(&self.0).ok()
    }
}

fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(content, _)| content.trim())
}

/// An account, as somebody who may ask it.
pub(super) struct Account {
    client: Client,
    credentials: Credentials,
    region: String,
    /// Instead of AWS, for all services.
    endpoint: Option<String>,
}

/// A call: to which service, and what.
struct Call<'a> {
    service: &'a str,
    is_global: bool,
    method: Method,
    path: String,
    form: Option<String>,
}

impl Account {
    pub(super) fn new(credentials: Credentials, region: &str, endpoint: Option<String>) -> Self {
        Self { client: Client::new(), credentials, region: region.to_owned(), endpoint }
    }

    pub(super) fn region(&self) -> &str {
        &self.region
    }

    pub(super) async fn sts(&self, action: &str, parameters: &[(&str, &str)]) -> Result<Answer, CallError> {
        self.query("sts", false, action, "2011-06-15", parameters).await
    }

    pub(super) async fn iam(&self, action: &str, parameters: &[(&str, &str)]) -> Result<Answer, CallError> {
        self.query("iam", true, action, "2010-05-08", parameters).await
    }

    pub(super) async fn cloudformation(
        &self,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Answer, CallError> {
        self.query("cloudformation", false, action, "2010-05-15", parameters).await
    }

    /// A GET, or a HEAD, of a service with paths.
    pub(super) async fn get(&self, service: &str, method: Method, path: &str) -> Result<Answer, CallError> {
        let is_global = service == "cloudfront";
        self.call(Call { service, is_global, method, path: path.to_owned(), form: None }).await
    }

    async fn query(
        &self,
        service: &str,
        is_global: bool,
        action: &str,
        version: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Answer, CallError> {
        let mut form = Serializer::new(String::new());
        form.extend_pairs([("Action", action), ("Version", version)]).extend_pairs(parameters);
        let form = Some(form.finish());
        self.call(Call { service, is_global, method: Method::POST, path: "/".to_owned(), form }).await
    }

    async fn call(&self, call: Call<'_>) -> Result<Answer, CallError> {
        let Call { service, is_global, method, path, form } = call;
        let host = match &self.endpoint {
            Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
            None if is_global => format!("https://{service}.amazonaws.com"),
            None => format!("https://{service}.{}.amazonaws.com", self.region),
        };
        let url = format!("{host}{path}");
        let region = if is_global { GLOBAL_REGION } else { &self.region };
        let body = form.clone().unwrap_or_default();
        let unsendable = |error: http::Error| CallError::Signing(error.to_string());
        let mut request = Request::builder().method(&method).uri(&url);
        if form.is_some() {
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        let mut request = request.body(body.clone()).map_err(unsendable)?;
        self.sign(&mut request, service, region).map_err(CallError::Signing)?;
        let (head, _) = request.into_parts();
        let sent = async {
            let response = self.client.send(Request::from_parts(head, full(body))).await?;
            let (status, kind) = (response.status(), response.headers().get("x-amzn-errortype").cloned());
            let bytes = read(response, &url).await?;
            Ok::<_, ClientError>((status, kind, String::from_utf8_lossy(&bytes).into_owned()))
        };
        let (status, kind, text) =
            tokio::time::timeout(TIMEOUT, sent).await.map_err(|_| CallError::TooSlow)??;
        if status.is_success() {
            return Ok(Answer(text));
        }
        let json: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let message = json["message"].as_str().or(json["Message"].as_str()).or(element(&text, "Message"));
        let code = kind.as_ref().and_then(|kind| kind.to_str().ok()).or(element(&text, "Code"));
        Err(CallError::Refused {
            status,
            code: code.unwrap_or(status.as_str()).split(':').next().unwrap_or_default().to_owned(),
            message: message.unwrap_or("no reason is given").to_owned(),
        })
    }

    fn sign(&self, request: &mut Request<String>, service: &str, region: &str) -> Result<(), String> {
        let mut settings = SigningSettings::default();
        if service == "s3" {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
            settings.percent_encoding_mode = PercentEncodingMode::Single;
        }
        let identity = self.credentials.clone().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name(service)
            .time(SystemTime::now())
            .settings(settings)
            .build()
            .map_err(|error| error.to_string())?;
        let headers =
            request.headers().iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let signable = SignableRequest::new(
            request.method().as_str(),
            request.uri().to_string(),
            headers,
            SignableBody::Bytes(request.body().as_bytes()),
        );
        let signable = signable.map_err(|error| error.to_string())?;
        let signed = sign(signable, &parameters.into()).map_err(|error| error.to_string())?;
        signed.into_parts().0.apply_to_request_http1x(request);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_by_name() {
        let answer = Answer("<a><Name> x </Name><NameX>y</NameX><Name>z</Name></a>".to_owned());
        assert_eq!(answer.element("Name"), Some("x"));
        assert_eq!(answer.elements("Name").collect::<Vec<_>>(), ["x", "z"]);
        assert_eq!(answer.element("Arn"), None);
    }
}
