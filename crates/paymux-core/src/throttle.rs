//! How much one app may ask of this process: so many requests a second, and so many at once. Counted over all fronts
//! together, by each node for itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Mono;
use crate::ids::AppId;

/// How long a client waits until it tries again when too many of its requests run at once.
const AT_ONCE_WAIT: Duration = Duration::from_secs(1);

/// How much one app may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Allowance {
    /// Requests a second, as many of them at once after a pause; 0 is no limit.
    pub per_second: u32,
    /// Requests under way at once; 0 is no limit.
    pub at_once: u32,
}

/// Who asks for how much.
#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<BTreeMap<AppId, Used>>);

/// What one app has asked for.
#[derive(Debug, Default)]
struct Used {
    /// When a request would come that keeps to the pace; earlier ones use up what was saved.
    due: Duration,
    under_way: u32,
}

/// A request is under way as long as this lives.
#[derive(Debug)]
pub struct Admission {
    throttle: Arc<Throttle>,
    app: AppId,
}

impl Throttle {
    /// Lets a request of that app in, or says after how long another one may be.
    pub(crate) fn admit(
        self: &Arc<Self>,
        app: &AppId,
        allowance: Allowance,
        now: Mono,
    ) -> Result<Admission, Duration> {
        let mut all = self.all();
        let used = all.entry(app.clone()).or_default();
        if allowance.at_once > 0 && used.under_way >= allowance.at_once {
            return Err(AT_ONCE_WAIT);
        }
        used.take(allowance.per_second, now.0)?;
        used.under_way += 1;
        drop(all);
        Ok(Admission { throttle: Arc::clone(self), app: app.clone() })
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<AppId, Used>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Used {
    /// The generic cell rate algorithm with room for one second's requests.
    fn take(&mut self, per_second: u32, now: Duration) -> Result<(), Duration> {
        if per_second == 0 {
            return Ok(());
        }
        let step = Duration::from_secs(1) / per_second;
        let due = self.due.max(now) + step;
        let too_early = due.saturating_sub(now + Duration::from_secs(1));
        if !too_early.is_zero() {
            return Err(too_early);
        }
        self.due = due;
        Ok(())
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if let Some(used) = self.throttle.all().get_mut(&self.app) {
            used.under_way = used.under_way.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(id: &str) -> AppId {
        AppId::new(id).unwrap()
    }

    fn at(ms: u64) -> Mono {
        Mono(Duration::from_millis(ms))
    }

    #[test]
    fn a_pace_is_kept_with_one_second_to_spare() {
        let (throttle, ten) = (Arc::new(Throttle::default()), Allowance { per_second: 10, at_once: 0 });
        let admit = |ms| throttle.admit(&app("shop"), ten, at(ms)).map(drop);
        for _ in 0..10 {
            assert_eq!(admit(5000), Ok(()));
        }
        assert_eq!(admit(5000), Err(Duration::from_millis(100)));
        assert_eq!(admit(5040), Err(Duration::from_millis(60)));
        assert_eq!(admit(5100), Ok(()));
        assert_eq!(admit(5100), Err(Duration::from_millis(100)));
        assert!(throttle.admit(&app("other"), ten, at(5100)).is_ok(), "each app has its own");
        for _ in 0..10 {
            assert_eq!(admit(9000), Ok(()), "what was saved is one second's");
        }
        assert!(admit(9000).is_err());
    }

    #[test]
    fn no_more_run_at_once_than_may() {
        let (throttle, two) = (Arc::new(Throttle::default()), Allowance { per_second: 0, at_once: 2 });
        let admit = || throttle.admit(&app("shop"), two, at(0));
        let (first, second) = (admit().unwrap(), admit().unwrap());
        assert_eq!(admit().map(drop), Err(AT_ONCE_WAIT));
        drop(first);
        let third = admit().unwrap();
        assert!(admit().is_err());
        drop((second, third));
        assert!(admit().is_ok());
    }

    #[test]
    fn nothing_is_counted_where_there_is_no_limit() {
        let throttle = Arc::new(Throttle::default());
        let held: Vec<_> =
            (0..1000).map(|_| throttle.admit(&app("shop"), Allowance::default(), at(0)).unwrap()).collect();
        assert_eq!(held.len(), 1000);
    }
}
