//! Who signed a form's policy. Follows "Authenticating requests in browser-based uploads using POST (AWS Signature
//! Version 4)" in the S3 API reference: the string to sign is the policy as it was sent, in base64.

use http::StatusCode;
use subtle::ConstantTimeEq;

use super::fields::Fields;
use super::invalid_argument;
use crate::aws::protocol::Fault;
use crate::aws::signature::{ALGORITHM, CredentialScope, parse_time, sign_text};

/// The signature of a form.
pub(super) struct PostSignature<'a> {
    pub(super) scope: CredentialScope,
    pub(super) date: &'a str,
    pub(super) session_token: Option<&'a str>,
    pub(super) policy: &'a str,
    signature: &'a str,
}

impl<'a> PostSignature<'a> {
    /// Finds it among the fields; `None` where there is nothing of one.
    pub(super) fn find(fields: &'a Fields, region: Option<&str>) -> Result<Option<Self>, Fault> {
        if fields.get("AWSAccessKeyId").is_some() || fields.get("signature").is_some() {
            return Err(Fault::bad_request(
                "InvalidRequest",
                "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
            ));
        }
        let names = ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Signature"];
        if names.iter().all(|name| fields.get(name).is_none()) {
            return Ok(None);
        }
        let [algorithm, credential, date, signature] = names.map(|name| required(fields, name));
        let (algorithm, credential, date, signature) = (algorithm?, credential?, date?, signature?);
        let policy = required(fields, "Policy")?;
        if algorithm != ALGORITHM {
            let message = format!("X-Amz-Algorithm only supports \"{ALGORITHM}\"");
            return Err(invalid_argument(message, "X-Amz-Algorithm", algorithm));
        }
        let scope = scope(credential, region)?;
        if parse_time(date).is_none() {
            let message = "X-Amz-Date must be formated via ISO8601 Long format";
            return Err(invalid_argument(message, "X-Amz-Date", date));
        }
        if !date.starts_with(&scope.date) {
            let message = format!(
                "Invalid credential date \"{}\". This date is not the same as X-Amz-Date: \"{date}\".",
                scope.date
            );
            return Err(invalid_argument(message, "X-Amz-Credential", credential));
        }
        let session_token = fields.get("x-amz-security-token");
        Ok(Some(PostSignature { scope, date, session_token, policy, signature }))
    }

    /// Compares it with what this secret signs.
    pub(super) fn verify(&self, secret_access_key: &str) -> Result<(), Fault> {
        let expected = sign_text(secret_access_key, &self.scope, self.policy);
        if expected.as_bytes().ct_eq(self.signature.as_bytes()).into() {
            return Ok(());
        }
        let message = "The request signature we calculated does not match the signature you provided. Check your \
                       key and signing method.";
        let bytes: Vec<String> = self.policy.bytes().map(|byte| format!("{byte:02x}")).collect();
        Err(Fault::new(StatusCode::FORBIDDEN, "SignatureDoesNotMatch", message)
            .with_detail("AWSAccessKeyId", &self.scope.access_key_id)
            .with_detail("StringToSign", self.policy)
            .with_detail("SignatureProvided", self.signature)
            .with_detail("StringToSignBytes", bytes.join(" ")))
    }
}

/// A field that has to be there, by the name that S3 gives it.
pub(super) fn required<'a>(fields: &'a Fields, name: &str) -> Result<&'a str, Fault> {
    fields.get(name).ok_or_else(|| {
        let message = format!(
            "Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the \
             fields."
        );
        invalid_argument(message, name, "")
    })
}

fn scope(credential: &str, region: Option<&str>) -> Result<CredentialScope, Fault> {
    let wrong = |message: String| invalid_argument(message, "X-Amz-Credential", credential);
    let scope = CredentialScope::parse(credential).ok_or_else(|| {
        wrong(
            "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"."
                .to_owned(),
        )
    })?;
    if let Some(expected) = region.filter(|region| *region != scope.region) {
        let message = format!("the region '{}' is wrong; expecting '{expected}'", scope.region);
        return Err(wrong(message).with_detail("Region", expected));
    }
    if scope.service != "s3" {
        let message = format!("incorrect service \"{}\". This endpoint belongs to \"s3\".", scope.service);
        return Err(wrong(message));
    }
    Ok(scope)
}
