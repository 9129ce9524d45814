//! Which routes a payment matches, all conditions at once: one row of bits a condition, where bit `i` is the `i`-th
//! route. What is rarely asked (metadata, the payer) is looked at on the routes that are left.

use super::intervals::{Intervals, Span};
use super::regions::Regions;
use super::{Ask, bits};
use crate::catalog::{AppSlot, Route, When};
use crate::method::{Method, MethodPattern};
use crate::money::Currency;

/// The most routes that a catalog has.
pub const ROUTES_MAX: usize = 1024;

/// Routes that match.
pub(super) type Matching = [u64; bits::words(ROUTES_MAX)];

/// The table.
#[derive(Debug)]
pub(super) struct Finder {
    words: usize,
    /// A row for each app by its slot, the last one for an app that the catalog does not know.
    apps: Box<[u64]>,
    /// A row for each method by its index.
    methods: Box<[u64]>,
    currencies: Box<[(Currency, Intervals)]>,
    /// What holds for a currency that no route names.
    other_currency: Box<[u64]>,
    regions: Option<Regions>,
    /// Routes that ask for more.
    particular: Box<[u64]>,
}

impl Finder {
    /// The table of those routes in a catalog of `apps` apps, whose slots `slot_of` tells.
    pub(super) fn new(
        routes: &[Route],
        apps: usize,
        slot_of: impl Fn(&When) -> Option<Vec<AppSlot>>,
    ) -> Self {
        let words = bits::words(routes.len());
        let mut by_app = vec![0; words * (apps + 1)];
        let mut by_method = vec![0; words * Method::COUNT];
        let (mut other_currency, mut particular) = (vec![0; words], vec![0; words]);
        for (place, Route { when, .. }) in routes.iter().enumerate() {
            let slots = slot_of(when).unwrap_or_else(|| (0..=apps).map(AppSlot::of).collect());
            for slot in slots {
                bits::insert(&mut by_app[slot.place(apps) * words..][..words], place);
            }
            for method in Method::all().filter(|method| holds_any(when.methods.as_deref(), *method)) {
                bits::insert(&mut by_method[method.index() * words..][..words], place);
            }
            if when.currency().is_none() {
                bits::insert(&mut other_currency, place);
            }
            if when.is_particular() {
                bits::insert(&mut particular, place);
            }
        }
        let regions: Vec<_> = routes.iter().map(|route| route.when.regions.as_deref()).collect();
        Self {
            words,
            apps: by_app.into(),
            methods: by_method.into(),
            currencies: currencies(routes),
            other_currency: other_currency.into(),
            regions: Regions::new(&regions),
            particular: particular.into(),
        }
    }

    /// The routes that match, in their order.
    pub(super) fn matching(&self, routes: &[Route], ask: &Ask<'_>) -> Matching {
        let mut matching = [0; bits::words(ROUTES_MAX)];
        let set = &mut matching[..self.words];
        let apps = self.apps.len() / self.words.max(1);
        set.copy_from_slice(self.row(&self.apps, ask.app.place(apps.saturating_sub(1))));
        bits::retain(set, self.row(&self.methods, ask.method.index()));
        let currency = ask.amount.currency();
        match self.currencies.iter().find(|(known, _)| *known == currency) {
            Some((_, amounts)) => amounts.retain(set, ask.amount.minor()),
            None => bits::retain(set, &self.other_currency),
        }
        if let Some(regions) = &self.regions {
            regions.retain(set, ask.payer.region);
        }
        self.retain_particular(set, routes, ask);
        matching
    }

    fn retain_particular(&self, set: &mut [u64], routes: &[Route], ask: &Ask<'_>) {
        for at in 0..self.words {
            let mut left = set[at] & self.particular[at];
            while left != 0 {
                let place = at * bits::WORD + left.trailing_zeros() as usize;
                left &= left - 1;
                if !routes.get(place).is_some_and(|route| route.when.holds_particulars(ask)) {
                    bits::remove(set, place);
                }
            }
        }
    }

    fn row<'a>(&self, rows: &'a [u64], place: usize) -> &'a [u64] {
        &rows[place * self.words..][..self.words]
    }
}

/// For each currency that a route names: what its routes and those that take any currency say of the amount.
fn currencies(routes: &[Route]) -> Box<[(Currency, Intervals)]> {
    let mut known: Vec<Currency> = routes.iter().filter_map(|route| route.when.currency()).collect();
    known.sort_unstable_by_key(|currency| currency.code());
    known.dedup();
    let table = |currency: Currency| {
        let takes = |when: &When| when.currency().is_none_or(|own| own == currency);
        let span = |(place, route): (usize, &Route)| {
            takes(&route.when).then(|| Span { place, values: amounts(&route.when) })
        };
        let spans: Vec<Span> = routes.iter().enumerate().filter_map(span).collect();
        (currency, Intervals::new(routes.len(), &spans))
    };
    known.into_iter().map(table).collect()
}

fn amounts(when: &When) -> std::ops::Range<i64> {
    when.amount_min.unwrap_or(i64::MIN)..when.amount_max.map_or(i64::MAX, |max| max.saturating_add(1))
}

pub(super) fn holds_any(patterns: Option<&[MethodPattern]>, method: Method) -> bool {
    patterns.is_none_or(|patterns| patterns.iter().any(|pattern| pattern.holds(method)))
}
