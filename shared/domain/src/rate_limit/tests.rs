use proptest::prelude::*;

use super::*;

/// A moment of 2026, in microseconds.
const NOW: u64 = 1_795_162_530_000_000;

fn at(microseconds: u64) -> UnixMicroseconds {
    UnixMicroseconds::new(NOW + microseconds)
}

fn limit(requests: u32) -> RateLimit {
    RateLimit::new(RateLimitName::LogInsPerIp, requests).unwrap()
}

/// A subject, with the two conditional writes that the table makes of a request.
#[derive(Default)]
struct Subject(Option<UnixMicroseconds>);

impl Subject {
    fn take(&mut self, request: &LimitedRequest) -> Verdict {
        let occupied_until = match self.0 {
            None => request.first_occupation(),
            Some(occupied_until) if request.is_idle(occupied_until) => request.first_occupation(),
            Some(occupied_until) => match request.verdict(occupied_until) {
                Verdict::Allowed => occupied_until.plus(request.cost()),
                refused @ Verdict::Refused { .. } => return refused,
            },
        };
        self.0 = Some(occupied_until);
        Verdict::Allowed
    }

    fn is_allowed(&mut self, limit: RateLimit, microseconds: u64) -> bool {
        self.take(&limit.request(at(microseconds), 1)) == Verdict::Allowed
    }
}

#[test]
fn all_requests_at_once_and_then_one_each_interval() {
    let (limit, mut subject) = (limit(6), Subject::default());
    assert!((0..6).all(|_| subject.is_allowed(limit, 0)));
    assert!(!subject.is_allowed(limit, 0));
    // A sixth of a minute.
    assert!(!subject.is_allowed(limit, 9_999_999));
    assert!(subject.is_allowed(limit, 10_000_000));
    assert!(!subject.is_allowed(limit, 10_000_000));
    assert!((0..6).all(|_| subject.is_allowed(limit, 70_000_000)));
    assert!(!subject.is_allowed(limit, 70_000_000));
}

#[test]
fn what_does_not_divide_the_window_is_rounded_against_the_subject() {
    let (limit, mut subject) = (limit(7), Subject::default());
    assert_eq!(subject.take(&limit.request(at(0), 7)), Verdict::Allowed);
    assert_eq!(subject.take(&limit.request(at(59_999_999), 6)), Verdict::Allowed);
    assert!(!subject.is_allowed(limit, 60_000_000));
    assert!(subject.is_allowed(limit, 60_000_003));
}

#[test]
fn no_requests_are_no_limit() {
    assert_eq!(RateLimit::new(RateLimitName::LogInsPerIp, 0), None);
}

#[test]
fn what_counts_for_more_than_all_counts_for_all() {
    let (limit, mut subject) = (limit(6), Subject::default());
    assert_eq!(subject.take(&limit.request(at(0), 100)), Verdict::Allowed);
    let refused = Verdict::Refused { retry_after: Duration::from_mins(1) };
    assert_eq!(subject.take(&limit.request(at(0), 100)), refused);
    assert_eq!(subject.take(&limit.request(at(60_000_000), 100)), Verdict::Allowed);
}

#[test]
fn what_is_left_is_told() {
    let request = limit(6).request(at(0), 1);
    let quota = |occupied| request.quota(at(occupied));
    let told = |remaining, reset_after_seconds| Quota {
        limit: 6,
        remaining,
        reset_after: Duration::from_secs(reset_after_seconds),
    };
    assert_eq!(quota(0), told(6, 0));
    assert_eq!(quota(10_000_000), told(5, 10));
    assert_eq!(quota(13_000_000), told(4, 3));
    assert_eq!(quota(60_000_000), told(0, 10));
}

#[test]
fn a_clock_that_ran_ahead_locks_nobody_out() {
    let (limit, mut subject) = (limit(1), Subject::default());
    // Ahead by a day.
    assert!(subject.is_allowed(limit, 86_400_000_000));
    assert!(subject.is_allowed(limit, 0));
    assert!(!subject.is_allowed(limit, 0));
}

#[test]
fn names_are_spelled_once() {
    let mut names: Vec<_> = RateLimitName::ALL.iter().map(|name| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), RateLimitName::ALL.len());
}

/// Pauses between requests, up to a third of a window.
fn pauses() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(prop_oneof![Just(0), 0..20_000_000_u64], 1..200)
}

proptest! {
    /// The definition: of any stretch of time, `requests` and one for each interval in it.
    #[test]
    fn there_is_never_one_too_many(requests in 1..50_u32, pauses in pauses(), costs in prop::collection::vec(1..60_u32, 200)) {
        let (limit, mut subject, mut moment) = (limit(requests), Subject::default(), 0);
        let mut allowed: Vec<(u64, u64)> = Vec::new();
        for (pause, cost) in pauses.into_iter().zip(costs) {
            moment += pause;
            if subject.take(&limit.request(at(moment), cost)) == Verdict::Allowed {
                allowed.push((moment, u64::from(cost.min(requests))));
            }
        }
        for (first, (begin, _)) in allowed.iter().enumerate() {
            let mut count = 0;
            for (end, cost) in &allowed[first..] {
                count += cost;
                let interval = microseconds(limit.interval());
                prop_assert!(count <= u64::from(requests) + (end - begin) / interval);
            }
        }
    }

    #[test]
    fn a_refusal_says_exactly_when_to_come_back(requests in 1..50_u32, pauses in pauses(), cost in 1..60_u32) {
        let (limit, mut subject, mut moment) = (limit(requests), Subject::default(), 0);
        for pause in pauses {
            moment += pause;
            let request = |later: u64| limit.request(at(moment + later), cost);
            let Verdict::Refused { retry_after } = subject.take(&request(0)) else { continue };
            let wait = microseconds(retry_after);
            prop_assert!(wait > 0 && retry_after <= limit.span());
            let occupied_until = subject.0.unwrap();
            prop_assert_ne!(request(wait - 1).verdict(occupied_until), Verdict::Allowed);
            prop_assert_eq!(request(wait).verdict(occupied_until), Verdict::Allowed);
        }
    }

    /// Instances whose clocks differ, each going forwards and backwards a little: as seen by a clock that is right, there
    /// are no more than if the difference were added to the stretch.
    #[test]
    fn clocks_that_differ_allow_no_more(
        requests in 1..50_u32,
        steps in prop::collection::vec((0..20_000_000_u64, 0..30_000_000_u64), 1..200),
    ) {
        const SKEW: u64 = 30_000_000;
        let (limit, mut subject, mut moment) = (limit(requests), Subject::default(), 0);
        let mut allowed = Vec::new();
        for (pause, skew) in steps {
            moment += pause;
            if subject.is_allowed(limit, moment + skew) {
                allowed.push(moment);
            }
        }
        for (first, begin) in allowed.iter().enumerate() {
            for (last, end) in allowed.iter().enumerate().skip(first) {
                let stretch = end - begin + SKEW;
                let count = u64::try_from(last - first + 1).unwrap();
                prop_assert!(count <= u64::from(requests) + stretch / microseconds(limit.interval()));
            }
        }
    }

    #[test]
    fn what_is_left_can_be_used(requests in 1..50_u32, pauses in pauses()) {
        let (limit, mut subject, mut moment) = (limit(requests), Subject::default(), 0);
        for pause in pauses {
            moment += pause;
            let request = limit.request(at(moment), 1);
            let quota = subject.0.map(|occupied_until| request.quota(occupied_until));
            let is_allowed = subject.take(&request) == Verdict::Allowed;
            if let Some(quota) = quota {
                prop_assert_eq!(is_allowed, quota.remaining > 0);
            }
        }
        // After the reset there is one more, and a microsecond before that there is not.
        let occupied_until = subject.0.unwrap();
        let quota = limit.request(at(moment), 1).quota(occupied_until);
        if quota.remaining < requests {
            let later = |wait: u64| limit.request(at(moment + wait), 1).quota(occupied_until).remaining;
            let wait = microseconds(quota.reset_after);
            prop_assert_eq!(later(wait), quota.remaining + 1);
            prop_assert_eq!(later(wait - 1), quota.remaining);
        }
    }
}
