//! Tells the story of a nation: asks and dials as it says, and shows what came of each step.

use std::io::{self, Write};
use std::net::SocketAddr;

use mesh_rt::exit::sentence;

use crate::ask::{Answered, ask};
use crate::dial::{Dialled, dial};
use crate::layout::Layout;
use crate::show;
use crate::story::{Dial, Inquiry, Story};

/// What later commands can be made of: the first inquiry of each kind, and its path.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Answered through the centre.
    pub across: Option<(Inquiry, String)>,
    /// Answered, and the centre was not on the way.
    pub inside: Option<(Inquiry, String)>,
    pub refused: Option<(Inquiry, String)>,
    /// Steps that did not end as the story says, in words.
    pub wrong: Vec<String>,
}

/// Tells `story` to `out`, for eyes or as one JSON object a step. A step that cannot be taken is
/// told too, and the story goes on. An error is of `out`.
pub async fn tell(
    story: &Story,
    layout: &Layout,
    json: bool,
    out: &mut impl Write,
) -> io::Result<Told> {
    let mut told = Told::default();
    let mut known = story.given.clone();
    let mut number = 0;
    for chapter in &story.chapters {
        if !json {
            out.write_all(show::chapter(chapter).as_bytes())?;
        }
        for inquiry in &chapter.inquiries {
            number += 1;
            let answered = match ask(layout, inquiry, &known).await {
                Ok(answered) => answered,
                Err(error) => {
                    let text = told.cannot(&inquiry.title_en, &sentence(&error), json);
                    out.write_all(text.as_bytes())?;
                    continue;
                }
            };
            inquiry.remember(&answered.json(), &mut known);
            let text = match json {
                true => format!("{}\n", show::inquiry_json(inquiry, &answered)),
                false => show::inquiry(number, inquiry, &answered),
            };
            out.write_all(text.as_bytes())?;
            told.note(inquiry, &answered);
        }
        for step in &chapter.dials {
            number += 1;
            let text = match dialled(layout, step).await {
                Err(why) => told.cannot(&step.title_en, &why, json),
                Ok((_, came)) if json => {
                    told.note_dial(step, &came);
                    format!("{}\n", show::dial_json(step, &came))
                }
                Ok((address, came)) => {
                    told.note_dial(step, &came);
                    show::dial(number, step, address, &came)
                }
            };
            out.write_all(text.as_bytes())?;
        }
    }
    Ok(told)
}

impl Told {
    /// The words for a step that could not be taken.
    fn cannot(&mut self, title: &str, why: &str, json: bool) -> String {
        self.wrong.push(format!("{title}: {why}"));
        match json {
            true => format!("{}\n", show::failure_json(title, why)),
            false => show::failure(title, why),
        }
    }

    fn note_dial(&mut self, step: &Dial, came: &Dialled) {
        if !matches!(came, Dialled::Alert(_)) {
            self.wrong.push(format!("{} dials {}: {came:?}", step.from, step.to));
        }
    }

    fn note(&mut self, inquiry: &Inquiry, answered: &Answered) {
        let refused = answered.refused();
        let as_told = match &inquiry.refused {
            Some(reason) => refused == Some(reason.as_str()),
            None => answered.status.is_success(),
        };
        if !as_told {
            let (service, status) = (&inquiry.service, answered.status.as_u16());
            let reason = refused.unwrap_or("the service's own answer");
            self.wrong.push(format!("{} asks {service}: {status}, {reason}", inquiry.consumer));
            return;
        }
        let is_across = answered.hops().iter().any(|(hop, _)| hop == "hub.centre");
        let first = match (refused, is_across) {
            (Some(_), _) => &mut self.refused,
            (None, true) => &mut self.across,
            (None, false) => &mut self.inside,
        };
        // A command for a terminal has no body.
        if first.is_none() && inquiry.body.is_none() {
            *first = Some((inquiry.clone(), answered.path.clone()));
        }
    }
}

/// Dials as `step` says. Where nothing listens that it names, the story is wrong.
async fn dialled(layout: &Layout, step: &Dial) -> Result<(SocketAddr, Dialled), String> {
    let node = |name: &str| layout.node(name).ok_or_else(|| format!("no node is called {name}"));
    let own = &node(&step.from)?.issued;
    let address = node(&step.to)?.mesh.ok_or_else(|| format!("{} does not listen", step.to))?;
    let came = dial(address, Some((&own.chain_file, &own.key_file))).await;
    Ok((address, came))
}
