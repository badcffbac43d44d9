//! What is asked of the account.

use http::{Method, StatusCode};

use super::account::{Account, CallError};
use super::{Finding, Plan, permissions};

/// The template's limit: the name is part of those of buckets and roles, which end at 63 and 64 characters.
const STACK_NAME_LENGTH: usize = 28;

/// New accounts have 10, and others 1 000. With fewer than this, the 50 runs that `extract-metadata` may have at a time
/// leave nothing for the API.
const ENOUGH_CONCURRENCY: u64 = 100;

/// CloudFront keeps 10 public keys for an account; a stack has three, and a fourth while keys are rotated.
const PUBLIC_KEYS_QUOTA: u64 = 10;
const PUBLIC_KEYS_NEEDED: u64 = 4;

/// A stack's name has to be what names of buckets can begin with.
pub(super) fn stack_name(name: &str) -> Finding {
    let is_taken = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    let is_good = name.starts_with(|letter: char| letter.is_ascii_lowercase())
        && name.chars().all(is_taken)
        && name.len() <= STACK_NAME_LENGTH;
    if is_good {
        return Finding::good("stack name", name);
    }
    let rule = format!("at most {STACK_NAME_LENGTH} lower-case letters, digits and hyphens, a letter first");
    Finding::missing("stack name", format!("{name} cannot be one: give --stack-name, {rule}."))
}

/// Everything that the account itself tells.
pub(super) async fn account(account: &Account, plan: &Plan) -> Vec<Finding> {
    let identity = match account.sts("GetCallerIdentity", &[]).await {
        Ok(identity) => identity,
        Err(error) => {
            let text = format!("Nobody knows these credentials in {}: {error}", account.region());
            return vec![Finding::missing("credentials", text)];
        }
    };
    let (Some(arn), Some(account_id)) = (identity.element("Arn"), identity.element("Account")) else {
        return vec![Finding::missing("credentials", CallError::Unreadable("Arn").to_string())];
    };
    let mut findings = vec![Finding::good("credentials", arn), Finding::good("region", account.region())];
    findings.push(concurrency(account).await);
    findings.extend(stack(account, plan, account_id).await);
    findings.push(allowed(account, plan, arn).await);
    if plan.with_cdn {
        findings.push(cdn(account).await);
    }
    findings
}

/// A question that may not be asked leaves a doubt, not a fault: deploying may be allowed all the same.
fn unasked(subject: &'static str, error: &CallError) -> Finding {
    Finding::doubtful(subject, format!("This could not be asked: {error}"))
}

async fn concurrency(account: &Account) -> Finding {
    const SUBJECT: &str = "concurrency";
    let answer = match account.get("lambda", Method::GET, "/2016-08-19/account-settings/").await {
        Ok(answer) => answer,
        Err(error) => return unasked(SUBJECT, &error),
    };
    let limit = answer.json().and_then(|settings| settings["AccountLimit"]["ConcurrentExecutions"].as_u64());
    let Some(limit) = limit else { return unasked(SUBJECT, &CallError::Unreadable("ConcurrentExecutions")) };
    if limit >= ENOUGH_CONCURRENCY {
        return Finding::good(SUBJECT, format!("{limit} concurrent executions"));
    }
    let text = format!(
        "The account may run {limit} functions at a time; more requests than that get 503. Ask for more: \
         aws service-quotas request-service-quota-increase --service-code lambda --quota-code L-B99A9384 \
         --desired-value 1000 --region {}",
        account.region()
    );
    Finding::doubtful(SUBJECT, text)
}

/// Whether there is a stack of this name, and if not, whether its buckets' names are free.
async fn stack(account: &Account, plan: &Plan, account_id: &str) -> Vec<Finding> {
    const SUBJECT: &str = "stack";
    let name = plan.stack_name.as_str();
    match account.cloudformation("DescribeStacks", &[("StackName", name)]).await {
        Ok(answer) => {
            let status = answer.element("StackStatus").unwrap_or("in an unknown state");
            vec![existing_stack(name, status)]
        }
        Err(CallError::Refused { code, message, .. })
            if code == "ValidationError" && message.contains("does not exist") =>
        {
            let mut findings = vec![Finding::good(SUBJECT, format!("{name} is new"))];
            for kind in ["ingest", "media"] {
                findings
                    .push(bucket(account, &format!("{name}-{kind}-{account_id}-{}", account.region())).await);
            }
            findings
        }
        Err(error) => vec![unasked(SUBJECT, &error)],
    }
}

fn existing_stack(name: &str, status: &str) -> Finding {
    const SUBJECT: &str = "stack";
    match status {
        // What SAM's first change set leaves until it is carried out.
        "REVIEW_IN_PROGRESS" => Finding::good(SUBJECT, format!("{name} is new")),
        // It never worked, and CloudFormation updates no such stack.
        "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "CREATE_FAILED" | "DELETE_FAILED" => {
            let text = format!("{name} is {status}. Remove it first: sam delete --stack-name {name}");
            Finding::missing(SUBJECT, text)
        }
        busy if busy.ends_with("_IN_PROGRESS") => {
            Finding::missing(SUBJECT, format!("{name} is {busy}. Wait until that has ended."))
        }
        "UPDATE_ROLLBACK_FAILED" => {
            let command = "aws cloudformation continue-update-rollback --stack-name";
            Finding::missing(SUBJECT, format!("{name} is {status}. Finish that first: {command} {name}"))
        }
        _ => Finding::good(SUBJECT, format!("{name} is {status} and will be updated")),
    }
}

async fn bucket(account: &Account, name: &str) -> Finding {
    const SUBJECT: &str = "bucket";
    match account.get("s3", Method::HEAD, &format!("/{name}")).await {
        Err(CallError::Refused { status: StatusCode::NOT_FOUND, .. }) => {
            Finding::good(SUBJECT, format!("{name} is free"))
        }
        Ok(_) => {
            let text = format!(
                "{name} is there already, from a stack of before. Empty and remove it, or choose another --stack-name."
            );
            Finding::missing(SUBJECT, text)
        }
        Err(error) if error.is_denial() => {
            Finding::doubtful(SUBJECT, format!("{name} is somebody else's, or you may not look at it."))
        }
        Err(error) => unasked(SUBJECT, &error),
    }
}

/// What IAM says of the caller's policies. It cannot know what the organisation forbids, nor the resources that policies are
/// narrowed to.
async fn allowed(account: &Account, plan: &Plan, arn: &str) -> Finding {
    const SUBJECT: &str = "permissions";
    let Some(source) = policy_source(arn) else {
        return Finding::doubtful(
            SUBJECT,
            "The root user may do everything. Better deploy as somebody else.",
        );
    };
    let needed = permissions::needed(plan.with_cdn);
    let names: Vec<String> =
        (1..=needed.len()).map(|number| format!("ActionNames.member.{number}")).collect();
    let actions = names.iter().map(String::as_str).zip(needed.iter().copied());
    let mut parameters = vec![("PolicySourceArn", source.as_str()), ("MaxItems", "1000")];
    parameters.extend(actions);
    let answer = match account.iam("SimulatePrincipalPolicy", &parameters).await {
        Ok(answer) => answer,
        Err(error) => return unasked(SUBJECT, &error),
    };
    let decisions = answer.elements("EvalActionName").zip(answer.elements("EvalDecision"));
    let (mut asked, mut denied) = (0, Vec::new());
    for (action, decision) in decisions {
        asked += 1;
        if decision != "allowed" {
            denied.push(action);
        }
    }
    if asked < needed.len() {
        return unasked(SUBJECT, &CallError::Unreadable("EvalDecision"));
    }
    if denied.is_empty() {
        return Finding::good(SUBJECT, format!("all {asked} actions of a deployment are allowed"));
    }
    let text = format!("Not allowed on all resources, so perhaps not on these: {}", denied.join(", "));
    Finding::doubtful(SUBJECT, text)
}

/// Whose policies count: a user's own, or those of the role behind a session. `None` for the root user.
fn policy_source(arn: &str) -> Option<String> {
    if let Some((before, session)) = arn.split_once(":assumed-role/") {
        let role = session.split('/').next().unwrap_or_default();
        return Some(format!("{}:role/{role}", before.replacen(":sts:", ":iam:", 1)));
    }
    (!arn.ends_with(":root")).then(|| arn.to_owned())
}

async fn cdn(account: &Account) -> Finding {
    const SUBJECT: &str = "CloudFront";
    let answer = match account.get("cloudfront", Method::GET, "/2020-05-31/public-key?MaxItems=100").await {
        Ok(answer) => answer,
        Err(error) => return unasked(SUBJECT, &error),
    };
    let Some(used) = answer.element("Quantity").and_then(|quantity| quantity.parse::<u64>().ok()) else {
        return unasked(SUBJECT, &CallError::Unreadable("Quantity"));
    };
    if used + PUBLIC_KEYS_NEEDED <= PUBLIC_KEYS_QUOTA {
        return Finding::good(SUBJECT, format!("{used} of {PUBLIC_KEYS_QUOTA} public keys are used"));
    }
    let text = format!(
        "{used} of {PUBLIC_KEYS_QUOTA} public keys are used, unless the account has more; a stack takes up to \
         {PUBLIC_KEYS_NEEDED}. Remove those that nothing uses, or ask for a higher quota."
    );
    Finding::doubtful(SUBJECT, text)
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn a_stack_is_named_as_buckets_can_be() {
        for (name, verdict) in [
            ("media-platform", Verdict::Good),
            ("a", Verdict::Good),
            (&"a".repeat(28), Verdict::Good),
            (&"a".repeat(29), Verdict::Missing),
            ("Media", Verdict::Missing),
            ("1media", Verdict::Missing),
            ("media_platform", Verdict::Missing),
            ("", Verdict::Missing),
        ] {
            assert_eq!(stack_name(name).verdict, verdict, "{name}");
        }
    }

    #[test]
    fn a_session_is_asked_by_its_role() {
        let source = |arn| policy_source(arn);
        assert_eq!(source("arn:aws:iam::1:user/a/b").as_deref(), Some("arn:aws:iam::1:user/a/b"));
        assert_eq!(source("arn:aws:sts::1:assumed-role/R/s").as_deref(), Some("arn:aws:iam::1:role/R"));
        assert_eq!(source("arn:aws:iam::1:root"), None);
    }

    #[test]
    fn a_stack_that_is_not_well_is_mended_first() {
        for (status, verdict) in [
            ("UPDATE_COMPLETE", Verdict::Good),
            ("UPDATE_ROLLBACK_COMPLETE", Verdict::Good),
            ("REVIEW_IN_PROGRESS", Verdict::Good),
            ("UPDATE_IN_PROGRESS", Verdict::Missing),
            ("ROLLBACK_COMPLETE", Verdict::Missing),
            ("UPDATE_ROLLBACK_FAILED", Verdict::Missing),
        ] {
            assert_eq!(existing_stack("media", status).verdict, verdict, "{status}");
        }
    }
}
