//! Refusals in Persian, for the person at whose screen they end. As in English, no sentence repeats
//! anything of the request.

use http::StatusCode;
use mesh_core::identifier::{InvalidIdentifier, Kind};

use crate::answer::{BODY_BYTES_MAX, Refusal};

/// What the status says.
pub(crate) fn title(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "درخواست درست نیست",
        StatusCode::NOT_FOUND => "در این نشانی چیزی نیست",
        StatusCode::METHOD_NOT_ALLOWED => "این روش پذیرفته نیست",
        StatusCode::REQUEST_TIMEOUT => "درخواست به‌موقع نرسید",
        StatusCode::PAYLOAD_TOO_LARGE => "درخواست بیش از اندازه بزرگ است",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "قالب درخواست پذیرفته نیست",
        StatusCode::UNPROCESSABLE_ENTITY => "درخواست قابل انجام نیست",
        _ => "دفتر ثبت در دسترس نیست",
    }
}

/// Why this request is refused.
pub(crate) fn detail(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Path => "در این مسیر چیزی نیست".into(),
        Refusal::Method { .. } => "این مسیر روش دیگری می‌خواهد که سرآیند Allow نام می‌برد".into(),
        Refusal::Identifier(why) => identifier(*why),
        Refusal::Number { what, digits } => {
            format!("{} {digits} رقم دارد و جز رقم چیزی در آن نیست", number(what))
        }
        Refusal::Body { .. } => "بدنه باید یک شیء JSON با فیلدهای خواسته‌شده باشد".into(),
        Refusal::MediaType => "بدنه باید application/json باشد".into(),
        Refusal::BodyTooLong => format!("بدنه بیش از {BODY_BYTES_MAX} بایت است"),
        Refusal::BodyTooSlow => "بدنه به‌موقع نرسید".into(),
        Refusal::BodyBroken => "بدنه کامل نرسید".into(),
        Refusal::Key { bytes_max } => {
            format!("سرآیند Idempotency-Key باید یک بار و با ۱ تا {bytes_max} نویسه بیاید")
        }
        Refusal::KeyReused => {
            "این Idempotency-Key پیش‌تر با بدنهٔ دیگری آمده است؛ کلید تازه‌ای بفرستید".into()
        }
        Refusal::Choice { choices, .. } => format!("چنین گزینه‌ای نیست؛ گزینه‌ها: {choices}"),
        Refusal::Full => "این دفتر ثبت درخواست دیگری نمی‌پذیرد".into(),
        Refusal::Register(_) => "دفتر ثبت اکنون در دسترس نیست؛ کمی بعد دوباره بفرستید".into(),
    }
}

fn identifier(why: InvalidIdentifier) -> String {
    match why {
        InvalidIdentifier::Length { kind, want, found } => {
            format!("{} {want} رقم دارد، ولی {found} رقم آمده است", noun(kind))
        }
        InvalidIdentifier::Character { kind, place } => {
            format!("{} تنها رقم دارد؛ در جای {place} چیز دیگری آمده است", noun(kind))
        }
        InvalidIdentifier::CheckDigit { kind } => {
            format!("رقم کنترل {} با رقم‌های دیگر نمی‌خواند؛ نوشته را بررسی کنید", noun(kind))
        }
        InvalidIdentifier::EqualDigits => "ده رقم یکسان کد ملی نیست".into(),
        InvalidIdentifier::District => "پنج رقم نخست کد پستی صفر و دو ندارد".into(),
        InvalidIdentifier::Country => "شبا با IR آغاز می‌شود".into(),
        InvalidIdentifier::MobilePrefix => {
            "شمارهٔ همراه ۹ و نه رقم است، پس از ‎+98، 0098، 98، 0 یا هیچ".into()
        }
    }
}

fn noun(kind: Kind) -> &'static str {
    match kind {
        Kind::NationalId => "کد ملی",
        Kind::LegalId => "شناسهٔ ملی",
        Kind::PostalCode => "کد پستی",
        Kind::Mobile => "شمارهٔ همراه",
        Kind::Iban => "شبا",
        Kind::ForeignNationalId => "شناسهٔ فراگیر",
        Kind::ServiceCardCode => "کد شناسنامهٔ خدمت",
    }
}

/// The number that a question calls `what`.
fn number(what: &str) -> &'static str {
    match what {
        "a payment reference" => "شناسهٔ پرداخت",
        "an application" => "شمارهٔ درخواست",
        _ => "این شماره",
    }
}

#[cfg(test)]
mod tests {
    use mesh_core::identifier::NationalId;

    use super::*;

    #[test]
    fn an_identifier_is_refused_in_persian_and_not_repeated() {
        let cases = [
            ("123", "کد ملی 10 رقم دارد، ولی 3 رقم آمده است"),
            ("00123x5679", "کد ملی تنها رقم دارد؛ در جای 6 چیز دیگری آمده است"),
            ("0012345678", "رقم کنترل کد ملی با رقم‌های دیگر نمی‌خواند؛ نوشته را بررسی کنید"),
            ("1111111111", "ده رقم یکسان کد ملی نیست"),
        ];
        for (text, want) in cases {
            let why = text.parse::<NationalId>().unwrap_err();
            assert_eq!(detail(&Refusal::Identifier(why)), want);
        }
    }

    #[test]
    fn each_number_that_is_asked_for_has_a_name() {
        for what in ["a payment reference", "an application"] {
            assert!(!detail(&Refusal::Number { what, digits: 8 }).contains("این شماره"), "{what}");
        }
    }
}
