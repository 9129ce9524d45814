//! The rows of bits and the rules in words say the same: over drawn catalogs and payments, the channels that a
//! choice is made among are those that no rule removes, and the route is the first whose conditions all hold.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use super::{Want, catalog, entry, region, route};
use crate::world::channel;
use paymux_core::catalog::{Catalog, ChannelEntry, Lifecycle, Route, Strategy, When};
use paymux_core::ids::{AppId, ChannelId};
use paymux_core::router::{Router, Sheet};
use paymux_core::{Currency, MethodPattern, Money};

const METHODS: [&str; 6] =
    ["wechat.native", "wechat.barcode", "alipay.web", "alipay.wap", "jd.web", "alipay.jsapi"];
const PATTERNS: [&str; 5] = ["wechat.*", "alipay.*", "alipay.web", "wechat.native", "jd.*"];
const REGIONS: [&str; 3] = ["CN-31", "CN-11", "CN-44"];
const HOURS: [&str; 4] = ["06:00-12:00", "22:00-06:00", "12:00-12:01", "00:00-24:00"];
const CURRENCIES: [&str; 3] = ["CNY", "USD", "JPY"];

/// Draws catalogs and payments.
pub(super) struct Dice(pub(super) fastrand::Rng);

impl Dice {
    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.0.usize(..of.len())]
    }

    fn some<T>(&mut self, of: &[&str], read: impl Fn(&str) -> T) -> Option<Vec<T>> {
        let count = self.0.usize(1..3);
        self.0.bool().then(|| (0..count).map(|_| read(self.one(of))).collect())
    }

    fn maybe(&mut self, range: Range<i64>) -> Option<i64> {
        self.0.bool().then(|| self.0.i64(range))
    }

    fn currency(&mut self) -> Currency {
        Currency::from_code(self.one(&CURRENCIES)).unwrap()
    }

    fn channel(&mut self, place: usize) -> ChannelEntry {
        let mut entry = entry(&format!("c{place}"));
        entry.state = if self.0.u8(..5) == 0 { Lifecycle::Draining } else { Lifecycle::Active };
        (entry.weight, entry.fee_bp) = (self.0.u32(1..=40), self.0.bool().then(|| self.0.u32(30..35)));
        entry.methods = self.some(&PATTERNS, |text| text.parse::<MethodPattern>().unwrap());
        entry.rules.currency = if self.0.u8(..4) == 0 { self.currency() } else { Currency::CNY };
        entry.rules.amount_min = self.maybe(1..2000);
        entry.rules.amount_max = self.maybe(500..3000);
        entry.rules.hours = self.some(&HOURS, |text| text.parse().unwrap());
        entry.rules.regions = self.some(&REGIONS, region);
        entry
    }

    fn when(&mut self) -> When {
        let metadata = if self.0.u8(..4) == 0 {
            BTreeMap::from([(
                "tier".to_owned(),
                vec!["gold".to_owned(), self.one(&["silver", "tin"]).to_owned()],
            )])
        } else {
            BTreeMap::new()
        };
        When {
            apps: self.some(&["shop", "other"], |id| AppId::new(id).unwrap()),
            methods: self.some(&PATTERNS, |text| text.parse().unwrap()),
            amount_min: self.maybe(1..2000),
            amount_max: self.maybe(500..3000),
            currency: (self.0.u8(..4) == 0).then(|| self.currency()),
            metadata,
            payers: (self.0.u8(..6) == 0).then(|| vec!["u1".to_owned(), "u2".to_owned()]),
            regions: if self.0.u8(..4) == 0 { self.some(&REGIONS, region) } else { None },
        }
    }

    pub(super) fn catalog(&mut self) -> Catalog {
        let count = self.0.usize(1..80);
        let channels = (0..count).map(|place| self.channel(place)).collect();
        let routes = (0..self.0.usize(1..70)).map(|place| {
            let mut places: Vec<usize> = (0..count).collect();
            self.0.shuffle(&mut places);
            places.truncate(self.0.usize(1..=count));
            let strategy = Strategy::ALL[self.0.usize(..Strategy::ALL.len())];
            route(&format!("r{place}"), self.when(), strategy, &places)
        });
        catalog(channels, routes.collect())
    }

    pub(super) fn want(&mut self) -> Want<'static> {
        let mut want = Want::plain();
        want.app = AppId::new(self.one(&["shop", "shop", "other", "nobody"])).unwrap();
        want.amount = Money::new(
            self.0.i64(1..3200),
            if self.0.u8(..4) == 0 { self.currency() } else { Currency::CNY },
        );
        want.method = self.one(&METHODS).parse().unwrap();
        want.expires_in = Duration::from_secs(self.0.u64(300..420));
        want.payer.region = self.0.bool().then(|| region(self.one(&REGIONS)));
        want.payer.id = self.0.bool().then(|| self.one(&["u1", "u3"]).to_owned());
        want.payer.auth_code = self.0.bool().then(|| paymux_core::Secret::new("28763443825664394"));
        want.minute = self.0.u16(..1440);
        if self.0.bool() {
            want.metadata.insert("tier".to_owned(), self.one(&["gold", "silver", "iron"]).to_owned());
        }
        want
    }
}

/// The conditions of a route, one by one.
fn holds(when: &When, want: &Want<'_>) -> bool {
    let any = |is: bool, list: bool| is || !list;
    any(when.apps.iter().flatten().any(|app| *app == want.app), when.apps.is_some())
        && any(
            when.methods.iter().flatten().any(|pattern| pattern.holds(want.method)),
            when.methods.is_some(),
        )
        && when.amount_min.is_none_or(|min| want.amount.minor() >= min)
        && when.amount_max.is_none_or(|max| want.amount.minor() <= max)
        && when.currency().is_none_or(|currency| currency == want.amount.currency())
        && when
            .metadata
            .iter()
            .all(|(name, values)| want.metadata.get(name).is_some_and(|v| values.contains(v)))
        && when.payers.as_ref().is_none_or(|ids| want.payer.id.as_ref().is_some_and(|id| ids.contains(id)))
        && when.regions.as_ref().is_none_or(|all| want.payer.region.is_some_and(|own| all.contains(&own)))
}

#[test]
fn rows_of_bits_and_rules_in_words_agree() {
    let mut dice = Dice(fastrand::Rng::with_seed(4));
    let (mut chosen, mut refused) = (0, 0);
    for _ in 0..300 {
        let catalog = dice.catalog();
        let router = Router::new(&catalog);
        let mut sheet = Sheet::default();
        for _ in 0..40 {
            let want = dice.want();
            let ask = want.ask(&catalog);
            let first = catalog.routes().iter().find(|route| holds(&route.when, &want));
            assert_eq!(router.route(&ask).map(|r| &r.name), first.map(|r| &r.name), "{:?}", want.amount);
            let Some(route) = first else { continue };
            let tried: Vec<ChannelId> =
                (0..dice.0.usize(..2)).map(|_| channel(&format!("c{}", dice.0.usize(..5)))).collect();
            let seed = dice.0.u64(..);
            let choice = router.choose(&ask, &tried, seed, &mut sheet);
            let left: Vec<&ChannelId> =
                sheet.places().map(|place| &entries(&catalog, route)[place].id).collect();
            match router.pick(&ask, &tried, seed) {
                Ok(picked) => {
                    let open = picked.decision.candidates.iter().filter(|c| c.eligible).map(|c| &c.channel);
                    assert_eq!(left, open.collect::<Vec<_>>());
                    assert!(left.contains(&&choice.unwrap().channel.id));
                    chosen += 1;
                }
                Err(nobody) => {
                    assert!(left.is_empty() && choice.is_none());
                    assert_eq!(nobody.removed.len(), route.channels.len());
                    refused += 1;
                }
            }
        }
    }
    assert!(chosen > 1000 && refused > 500, "{chosen} chosen, {refused} refused");
}

fn entries<'a>(catalog: &'a Catalog, route: &Route) -> Vec<&'a ChannelEntry> {
    route.channels.iter().map(|place| &catalog.channels()[*place]).collect()
}
