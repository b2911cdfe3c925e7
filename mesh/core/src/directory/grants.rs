//! What lets a consumer use a service, sorted by either end.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::address::{AgencyAddress, ServiceAddress, SystemAddress};
use crate::agreement::{Agreement, AgreementId};
use crate::id::OperationId;
use crate::sorted::{Order, Sorted};

/// Something that lets a consumer use operations of a service.
pub(super) trait Grant: 'static {
    type Id<'g>: Ord + ToString
    where
        Self: 'g;

    /// Its word in keys and errors.
    const KIND: &'static str;

    fn id(&self) -> Self::Id<'_>;
    fn consumer(&self) -> &SystemAddress;
    fn service(&self) -> &ServiceAddress;
    fn operations(&self) -> &BTreeSet<OperationId>;
    /// Must what it names be there? Not if it is the record of something that is over for good.
    fn binds(&self) -> bool;
}

/// See the module.
#[derive(Debug)]
pub(super) struct Grants<G: Grant> {
    by_id: Sorted<ById<G>>,
    by_consumer: Sorted<ByConsumer<G>>,
    by_service: Sorted<ByService<G>>,
    /// Those that bind, and no others.
    binding: Sorted<ByService<G>>,
}

#[derive(Debug)]
struct ById<G>(PhantomData<G>);
#[derive(Debug)]
struct ByConsumer<G>(PhantomData<G>);
#[derive(Debug)]
struct ByService<G>(PhantomData<G>);

impl<G: Grant> Order for ById<G> {
    type Item = Arc<G>;

    fn order(a: &Arc<G>, b: &Arc<G>) -> Ordering {
        a.id().cmp(&b.id())
    }
}

impl<G: Grant> Order for ByConsumer<G> {
    type Item = Arc<G>;

    fn order(a: &Arc<G>, b: &Arc<G>) -> Ordering {
        (a.consumer(), a.service(), a.id()).cmp(&(b.consumer(), b.service(), b.id()))
    }
}

impl<G: Grant> Order for ByService<G> {
    type Item = Arc<G>;

    fn order(a: &Arc<G>, b: &Arc<G>) -> Ordering {
        (a.service(), a.consumer(), a.id()).cmp(&(b.service(), b.consumer(), b.id()))
    }
}

impl<G: Grant> Grants<G> {
    /// Puts it in, and says whether it took the place of another.
    pub(super) fn insert(&mut self, given: G) -> bool {
        let given = Arc::new(given);
        let old = self.by_id.insert(Arc::clone(&given));
        if let Some(old) = &old {
            self.forget(old);
        }
        if given.binds() {
            self.binding.insert(Arc::clone(&given));
        }
        self.by_service.insert(Arc::clone(&given));
        self.by_consumer.insert(given);
        old.is_some()
    }

    /// Takes it out, and says whether it was there.
    pub(super) fn remove(&mut self, place: impl Fn(&G) -> Ordering) -> bool {
        let old = self.by_id.remove(|it| place(it));
        if let Some(old) = &old {
            self.forget(old);
        }
        old.is_some()
    }

    fn forget(&mut self, old: &Arc<G>) {
        self.by_consumer.remove(|it| ByConsumer::order(it, old));
        self.by_service.remove(|it| ByService::order(it, old));
        self.binding.remove(|it| ByService::order(it, old));
    }

    pub(super) fn find(&self, place: impl Fn(&G) -> Ordering) -> Option<&G> {
        self.by_id.find(|it| place(it)).map(|it| &**it)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &G> {
        self.by_id.iter().map(|it| &**it)
    }

    /// What one consumer has for one service.
    pub(super) fn between<'s>(
        &'s self,
        consumer: &SystemAddress,
        service: &ServiceAddress,
    ) -> impl Iterator<Item = &'s G> {
        let wanted = (consumer, service);
        self.by_consumer.all(move |it| (it.consumer(), it.service()).cmp(&wanted)).map(|it| &**it)
    }

    /// Those of one consumer that bind.
    pub(super) fn binding_to<'s>(
        &'s self,
        consumer: &SystemAddress,
    ) -> impl Iterator<Item = &'s G> {
        let all = self.by_consumer.all(move |it| it.consumer().cmp(consumer));
        all.map(|it| &**it).filter(|it| it.binds())
    }

    /// Those for one service that bind.
    pub(super) fn binding_for<'s>(
        &'s self,
        service: &ServiceAddress,
    ) -> impl Iterator<Item = &'s G> {
        self.binding.all(move |it| it.service().cmp(service)).map(|it| &**it)
    }

    /// Those in which systems of `agency` consume.
    pub(super) fn consumed_by<'s>(&'s self, agency: &AgencyAddress) -> impl Iterator<Item = &'s G> {
        self.by_consumer.all(move |it| it.consumer().agency.cmp(agency)).map(|it| &**it)
    }

    /// Those in which systems of `agency` provide.
    pub(super) fn provided_by<'s>(&'s self, agency: &AgencyAddress) -> impl Iterator<Item = &'s G> {
        self.by_service.all(move |it| it.service().system.agency.cmp(agency)).map(|it| &**it)
    }

    /// Does any bind `service` and a system of `agency`?
    pub(super) fn any_of(&self, agency: &AgencyAddress, service: &ServiceAddress) -> bool {
        let wanted = (service, agency);
        self.binding.find(|it| (it.service(), &it.consumer().agency).cmp(&wanted)).is_some()
    }

    /// The agencies of those that bind `service`, each once. Costs no more than there are such
    /// agencies: it steps over what else one of them has.
    pub(super) fn agencies_of<'s>(
        &'s self,
        service: &ServiceAddress,
    ) -> impl Iterator<Item = &'s AgencyAddress> {
        let mut last: Option<&AgencyAddress> = None;
        std::iter::from_fn(move || {
            let next = self.binding.from(|it| {
                let here = it.service().cmp(service);
                here.then_with(|| match last {
                    // What belongs to the last one counts as before what is looked for.
                    Some(last) if it.consumer().agency <= *last => Ordering::Less,
                    _ => Ordering::Greater,
                })
            });
            let next = next.map(|it| &**it).next().filter(|it: &&G| it.service() == service)?;
            last = Some(&next.consumer().agency);
            last
        })
    }
}

impl<G: Grant> Clone for Grants<G> {
    fn clone(&self) -> Self {
        Self {
            by_id: self.by_id.clone(),
            by_consumer: self.by_consumer.clone(),
            by_service: self.by_service.clone(),
            binding: self.binding.clone(),
        }
    }
}

impl<G: Grant> Default for Grants<G> {
    fn default() -> Self {
        Self {
            by_id: Sorted::default(),
            by_consumer: Sorted::default(),
            by_service: Sorted::default(),
            binding: Sorted::default(),
        }
    }
}

impl Grant for Agreement {
    type Id<'g> = AgreementId;

    const KIND: &'static str = "agreement";

    fn id(&self) -> AgreementId {
        self.id()
    }

    fn consumer(&self) -> &SystemAddress {
        &self.terms().consumer
    }

    fn service(&self) -> &ServiceAddress {
        &self.terms().service
    }

    fn operations(&self) -> &BTreeSet<OperationId> {
        &self.terms().operations
    }

    fn binds(&self) -> bool {
        self.ended().is_none()
    }
}
