//! Who may ask what: default deny, and one answer for "not allowed" and "not there".

use crate::address::{ServiceAddress, SystemAddress};
use crate::directory::{Directory, Permission};
use crate::id::{OperationId, PermissionId, PurposeId};

/// What a consumer wants to do.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'w> {
    pub consumer: &'w SystemAddress,
    pub service: &'w ServiceAddress,
    pub operation: &'w OperationId,
    pub purpose: &'w PurposeId,
}

/// No permission covers the wish. Says the same whether the service exists or not, so that it can
/// be told to anyone.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no permission covers this consumer, service, operation and purpose")]
pub struct NotPermitted;

/// The permission that covers `wish`.
pub fn decide<'d>(
    directory: &'d Directory,
    wish: &Wish<'_>,
) -> Result<&'d Permission, NotPermitted> {
    directory
        .permissions(wish.consumer, wish.service)
        .find(|given| {
            given.operations.contains(wish.operation) && given.purposes.contains(wish.purpose)
        })
        .ok_or(NotPermitted)
}

/// Checks that the permission that a header names is one, and covers the wish.
pub fn confirm(
    directory: &Directory,
    wish: &Wish<'_>,
    named: &PermissionId,
) -> Result<(), NotPermitted> {
    let covers = |given: &&Permission| {
        given.id == *named
            && given.operations.contains(wish.operation)
            && given.purposes.contains(wish.purpose)
    };
    let given = directory.permissions(wish.consumer, wish.service).find(covers);
    given.map(|_| ()).ok_or(NotPermitted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::tests::{build, sample};

    #[test]
    fn decides() {
        let directory = build(sample()).unwrap();
        #[rustfmt::skip]
        let cases = [
            // Consumer            Service                      Operation  Purpose    Permission
            ("ir/gov/tax/desk",   "ir/gov/tax/debts/debt.v1",  "get",     "licence", Some("local")),
            ("ir/gov/tax/desk",   "ir/gov/tax/debts/debt.v1",  "get",     "census",  None),
            ("ir/gov/tax/desk",   "ir/gov/tax/debts/debt.v1",  "put",     "licence", None),
            ("ir/gov/tax/desk",   "ir/gov/tax/debts/debt.v2",  "get",     "licence", None),
            ("ir/gov/books/desk", "ir/gov/tax/debts/debt.v1",  "get",     "licence", None),
            ("ir/gov/tax/desk",   "ir/gov/tax/none/none.v1",   "get",     "licence", None),
        ];
        for (consumer, service, operation, purpose, want) in cases {
            let (consumer, service) = (consumer.parse().unwrap(), service.parse().unwrap());
            let (operation, purpose) = (operation.parse().unwrap(), purpose.parse().unwrap());
            let wish = Wish {
                consumer: &consumer,
                service: &service,
                operation: &operation,
                purpose: &purpose,
            };
            let found = decide(&directory, &wish).ok().map(|given| given.id.as_str());
            assert_eq!(found, want, "{wish:?}");
            let named = want.unwrap_or("local").parse().unwrap();
            assert_eq!(confirm(&directory, &wish, &named).is_ok(), want.is_some(), "{wish:?}");
            assert!(confirm(&directory, &wish, &"other".parse().unwrap()).is_err(), "{wish:?}");
        }
    }
}
