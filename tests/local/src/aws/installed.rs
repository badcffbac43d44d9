//! The stack as the AWS side needs it: policies read, functions and roles found by what requests name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use super::identity::{Caller, Identities, Principal};
use super::policy::{
    Access, Context, Permission, Policy, PolicyError, PrincipalMatch, UsageCounts, Verdict, evaluate,
    evaluate_resource,
};
use super::protocol::{Fault, Service};
use crate::stack::{Bucket, Function, Queue, Role, Stack, Table};

/// What a call needs to be allowed to do.
#[derive(Debug, Clone)]
pub(crate) struct Requirement {
    pub(crate) action: String,
    pub(crate) resource: String,
    /// Condition keys of the call, on top of those that the caller brings.
    pub(crate) context: Context,
}

impl Requirement {
    pub(crate) fn new(action: impl Into<String>, resource: impl Into<String>) -> Requirement {
        Requirement { action: action.into(), resource: resource.into(), context: Context::default() }
    }
}

struct InstalledRole {
    role: Role,
    trust: Policy,
    policies: Vec<Policy>,
}

/// The stack that is installed; empty until the first `install`.
#[derive(Default)]
pub(crate) struct Installed {
    stack: Option<Stack>,
    access_keys: BTreeMap<String, String>,
    function_policies: BTreeMap<String, Vec<Policy>>,
    permissions_boundaries: BTreeMap<String, Policy>,
    roles: BTreeMap<String, InstalledRole>,
    /// By ARN of the bucket or the queue.
    resource_policies: BTreeMap<String, Vec<Policy>>,
}

/// The stack that is installed now, shared by everything behind the port.
#[derive(Clone, Default)]
pub(crate) struct Current(Arc<RwLock<Arc<Installed>>>);

impl Current {
    pub(crate) fn get(&self) -> Arc<Installed> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn replace(&self, installed: Arc<Installed>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = installed;
    }
}

/// Whether a call may go on.
#[derive(Debug)]
pub(crate) enum Decision {
    /// By these; none for the operator.
    Allowed(BTreeSet<Permission>),
    /// The reason, worded as AWS words it.
    Denied(String),
}

impl Decision {
    /// The decision about a call from those about all that it needs: allowed by everything that allowed a part, or denied
    /// for the first reason.
    pub(crate) fn on_all(parts: impl IntoIterator<Item = Decision>) -> Decision {
        let mut allowed_by = BTreeSet::new();
        for part in parts {
            match part {
                Decision::Allowed(used) => allowed_by.extend(used),
                Decision::Denied(reason) => return Decision::Denied(reason),
            }
        }
        Decision::Allowed(allowed_by)
    }
}

impl Installed {
    /// Reads every policy of a stack.
    pub(crate) fn read(stack: &Stack, identities: &Identities) -> Result<Installed, PolicyError> {
        let identity = |policies: &[crate::stack::Policy]| -> Result<Vec<Policy>, PolicyError> {
            policies.iter().map(Policy::identity).collect()
        };
        let mut installed = Installed { stack: Some(stack.clone()), ..Installed::default() };
        for (logical_id, function) in &stack.functions {
            installed.access_keys.insert(identities.function(logical_id).access_key_id, logical_id.clone());
            installed.function_policies.insert(logical_id.clone(), identity(&function.policies)?);
            if let Some(boundary) = &function.permissions_boundary {
                installed.permissions_boundaries.insert(logical_id.clone(), Policy::identity(boundary)?);
            }
        }
        for role in &stack.roles {
            let entry = InstalledRole {
                role: role.clone(),
                trust: Policy::trust(&role.trust)?,
                policies: identity(&role.policies)?,
            };
            installed.roles.insert(role.arn.clone(), entry);
        }
        let resources = stack
            .buckets
            .iter()
            .map(|bucket| (&bucket.arn, &bucket.policies))
            .chain(stack.queues.iter().map(|queue| (&queue.arn, &queue.policies)));
        for (arn, policies) in resources {
            let policies = policies.iter().map(Policy::resource).collect::<Result<_, _>>()?;
            installed.resource_policies.insert(arn.clone(), policies);
        }
        Ok(installed)
    }

    pub(crate) fn account_id(&self) -> &str {
        self.stack.as_ref().map_or("000000000000", |stack| &stack.account_id)
    }

    /// `None` before the first stack.
    pub(crate) fn region(&self) -> Option<&str> {
        self.stack.as_ref().map(|stack| stack.region.as_str())
    }

    pub(crate) fn function_of_access_key(&self, access_key_id: &str) -> Option<&Function> {
        self.stack.as_ref()?.functions.get(self.access_keys.get(access_key_id)?)
    }

    pub(crate) fn role(&self, arn: &str) -> Option<&Role> {
        self.roles.get(arn).map(|entry| &entry.role)
    }

    pub(crate) fn table(&self, name: &str) -> Option<&Table> {
        self.stack.as_ref()?.tables.iter().find(|table| table.name == name)
    }

    pub(crate) fn bucket(&self, name: &str) -> Option<&Bucket> {
        self.stack.as_ref()?.bucket(name)
    }

    pub(crate) fn queue(&self, arn: &str) -> Option<&Queue> {
        self.stack.as_ref()?.queue(arn)
    }

    pub(crate) fn queues(&self) -> &[Queue] {
        self.stack.as_ref().map_or(&[], |stack| &stack.queues)
    }

    /// Whether the template declares the secret with this ARN.
    pub(crate) fn declares_secret(&self, arn: &str) -> bool {
        self.stack.as_ref().is_some_and(|stack| stack.secrets.iter().any(|secret| secret.arn == arn))
    }

    /// Whether a key group of the template names the public key with this id.
    pub(crate) fn is_public_key_in_use(&self, id: &str) -> bool {
        let mut groups = self.stack.iter().flat_map(|stack| &stack.key_groups);
        groups.any(|group| group.public_key_ids.iter().any(|one| one == id))
    }

    /// Every permission that functions and roles have been given, as yet unused.
    pub(crate) fn permissions(&self) -> UsageCounts {
        let policies = self
            .function_policies
            .values()
            .flatten()
            .chain(self.roles.values().flat_map(|role| &role.policies));
        policies.flat_map(Policy::permissions).map(|permission| (permission, 0)).collect()
    }

    /// Judges one requirement of a call.
    pub(crate) fn decide(&self, caller: &Caller, requirement: &Requirement) -> Decision {
        if caller.principal == Principal::Operator {
            return Decision::Allowed(BTreeSet::new());
        }
        let resource_arn = match requirement.resource.split_once('/') {
            Some((bucket, _)) if bucket.starts_with("arn:aws:s3:::") => bucket,
            _ => &requirement.resource,
        };
        let policies = self.resource_policies.get(resource_arn).map_or(&[][..], Vec::as_slice);
        match caller.principal {
            Principal::Service(name) => judge_service(name, caller, requirement, policies),
            _ => self.judge(caller, requirement, policies),
        }
    }

    /// Judges `sts:AssumeRole`: the trust policy is the role's resource policy. It suffices alone where it names the
    /// caller; where it names the account, the caller's own policies must allow it too.
    pub(crate) fn decide_assume_role(&self, caller: &Caller, requirement: &Requirement) -> Decision {
        let Some(entry) = self.roles.get(&requirement.resource) else {
            return Decision::Denied(denial(caller, requirement, NO_GRANT));
        };
        let trust = std::slice::from_ref(&entry.trust);
        let context = request_context(caller, requirement);
        let access =
            Access { action: &requirement.action, resource: &requirement.resource, context: &context };
        let trusted = evaluate_resource(trust, &access, |principal| covers(principal, caller));
        if !trusted.allows() {
            return Decision::Denied(denial(caller, requirement, NO_GRANT));
        }
        if caller.principal == Principal::Operator {
            return Decision::Allowed(BTreeSet::new());
        }
        self.judge(caller, requirement, trust)
    }

    /// Whether the queue's own policy lets S3 send messages for a bucket.
    pub(crate) fn allows_notification(&self, bucket_arn: &str, queue_arn: &str) -> bool {
        let context = Context::default()
            .with("aws:SecureTransport", "true")
            .with("aws:SourceArn", bucket_arn)
            .with("aws:SourceAccount", self.account_id());
        let access = Access { action: "sqs:SendMessage", resource: queue_arn, context: &context };
        let policies = self.resource_policies.get(queue_arn).map_or(&[][..], Vec::as_slice);
        evaluate_resource(policies, &access, |principal| names_service(principal, "s3.amazonaws.com"))
            .allows()
    }

    fn judge(&self, caller: &Caller, requirement: &Requirement, resource_policies: &[Policy]) -> Decision {
        let context = request_context(caller, requirement);
        let access =
            Access { action: &requirement.action, resource: &requirement.resource, context: &context };
        let denied = |reason: &str| Decision::Denied(denial(caller, requirement, reason));
        let identity = evaluate(self.identity_policies(caller), &access);
        let by_role =
            evaluate_resource(resource_policies, &access, |principal| names_role(principal, caller));
        let by_session =
            evaluate_resource(resource_policies, &access, |principal| names_session(principal, caller));
        let verdict = |policy: &Policy| evaluate(std::slice::from_ref(policy), &access);
        let boundary = self.permissions_boundary(caller).map(verdict);
        let session = caller.session_policy.as_ref().map(verdict);
        let covered = evaluate_resource(resource_policies, &access, |principal| covers(principal, caller));
        if identity.denied {
            return denied("with an explicit deny in an identity-based policy");
        }
        // Naming the account denies to everybody in it; it allows to nobody by itself.
        if covered.denied {
            return denied("with an explicit deny in a resource-based policy");
        }
        if boundary.as_ref().is_some_and(|verdict| verdict.denied) {
            return denied("with an explicit deny in a permissions boundary");
        }
        if session.as_ref().is_some_and(|verdict| verdict.denied) {
            return denied("with an explicit deny in a session policy");
        }
        if by_session.allows() {
            return Decision::Allowed(used(identity));
        }
        if !identity.allows() && !by_role.allows() {
            return denied("because no identity-based policy allows the {action} action");
        }
        if boundary.is_some_and(|verdict| !verdict.allows()) {
            return denied("because no permissions boundary allows the {action} action");
        }
        if session.is_some_and(|verdict| !verdict.allows()) {
            return denied("because no session policy allows the {action} action");
        }
        Decision::Allowed(used(identity))
    }

    fn permissions_boundary(&self, caller: &Caller) -> Option<&Policy> {
        match &caller.principal {
            Principal::Function(logical_id) => self.permissions_boundaries.get(logical_id),
            Principal::Role { .. } | Principal::Anonymous | Principal::Operator | Principal::Service(_) => {
                None
            }
        }
    }

    fn identity_policies(&self, caller: &Caller) -> &[Policy] {
        let policies = match &caller.principal {
            Principal::Function(logical_id) => self.function_policies.get(logical_id),
            Principal::Role { arn, .. } => self.roles.get(arn).map(|entry| &entry.policies),
            Principal::Anonymous | Principal::Operator | Principal::Service(_) => None,
        };
        policies.map_or(&[], Vec::as_slice)
    }
}

/// A service has only what the resource's own policy grants it.
fn judge_service(name: &str, caller: &Caller, requirement: &Requirement, policies: &[Policy]) -> Decision {
    let context = request_context(caller, requirement);
    let access = Access { action: &requirement.action, resource: &requirement.resource, context: &context };
    let verdict = evaluate_resource(policies, &access, |principal| names_service(principal, name));
    if verdict.allows() {
        return Decision::Allowed(used(verdict));
    }
    let reason = if verdict.denied { "with an explicit deny in a resource-based policy" } else { NO_GRANT };
    Decision::Denied(denial(caller, requirement, reason))
}

/// The refusal of a denied call, in the code and with the status that the service uses.
pub(crate) fn access_denied(service: Service, message: String) -> Fault {
    let forbidden = http::StatusCode::FORBIDDEN;
    match service {
        Service::CloudFront | Service::S3 | Service::Sts => Fault::new(forbidden, "AccessDenied", message),
        Service::DynamoDb | Service::SecretsManager => Fault::bad_request("AccessDeniedException", message),
        Service::Sqs => {
            let mut fault = Fault::new(forbidden, "AccessDeniedException", message);
            fault.query_code = Some("AccessDenied");
            fault
        }
    }
}

const NO_GRANT: &str = "because no resource-based policy allows the {action} action";

fn used(verdict: Verdict) -> BTreeSet<Permission> {
    verdict.used.into_iter().collect()
}

fn request_context(caller: &Caller, requirement: &Requirement) -> Context {
    let mut context = requirement.context.clone();
    context.extend(&caller.context());
    context
}

fn denial(caller: &Caller, requirement: &Requirement, reason: &str) -> String {
    let reason = reason.replace("{action}", &requirement.action);
    let quote = if requirement.action.starts_with("s3:") { "\"" } else { "" };
    format!(
        "User: {} is not authorized to perform: {} on resource: {quote}{}{quote} {reason}",
        caller.arn, requirement.action, requirement.resource
    )
}

/// Whether a `Principal` names this service of AWS, or everyone.
fn names_service(principal: &PrincipalMatch, service: &str) -> bool {
    match principal {
        PrincipalMatch::Anyone => true,
        PrincipalMatch::Named { services, .. } => services.iter().any(|name| name == service),
    }
}

/// Whether a `Principal` names the role itself, or everyone. Such a grant is narrowed by a session policy.
fn names_role(principal: &PrincipalMatch, caller: &Caller) -> bool {
    match principal {
        PrincipalMatch::Anyone => true,
        PrincipalMatch::Named { aws, .. } => aws.iter().any(|name| {
            caller.role_arn.as_ref() == Some(name) || *name == caller.arn && caller.role_arn.is_none()
        }),
    }
}

/// Whether a `Principal` names exactly this session. Such a grant is not narrowed by a session policy.
fn names_session(principal: &PrincipalMatch, caller: &Caller) -> bool {
    match principal {
        PrincipalMatch::Anyone => false,
        PrincipalMatch::Named { aws, .. } => caller.role_arn.is_some() && aws.contains(&caller.arn),
    }
}

/// Whether a `Principal` covers the caller, be it through its account.
fn covers(principal: &PrincipalMatch, caller: &Caller) -> bool {
    let account_root = format!("arn:aws:iam::{}:root", caller.account_id);
    let is_account = |name: &String| *name == caller.account_id || *name == account_root;
    names_role(principal, caller)
        || names_session(principal, caller)
        || matches!(principal, PrincipalMatch::Named { aws, .. } if aws.iter().any(is_account))
}
