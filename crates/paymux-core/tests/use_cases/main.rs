//! Use cases over scripted channels, with time that nobody waits for.

#[cfg(test)]
mod callbacks;
#[cfg(test)]
mod capacity;
#[cfg(test)]
mod create;
#[cfg(test)]
mod crossing;
#[cfg(test)]
mod decisions;
#[cfg(test)]
mod desk;
#[cfg(test)]
mod endings;
#[cfg(test)]
mod explain;
#[cfg(test)]
mod fronts;
#[cfg(test)]
mod late_answers;
#[cfg(test)]
mod late_money;
#[cfg(test)]
mod lifecycle;
#[cfg(test)]
mod notices;
#[cfg(test)]
mod reconcile;
#[cfg(test)]
mod refunds;
#[cfg(test)]
mod returned;
#[cfg(test)]
mod routing;
#[cfg(test)]
mod transfers;
#[cfg(test)]
mod watches;
#[cfg(test)]
mod world;
