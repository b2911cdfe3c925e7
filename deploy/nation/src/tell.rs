//! Tells the story of a nation: asks and dials as it says, and shows what came of each step.

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

/// Tells `story` on stdout, for eyes or as one JSON object a step. A step that cannot be taken is
/// told too, and the story goes on.
pub async fn tell(story: &Story, layout: &Layout, json: bool) -> Told {
    let mut told = Told::default();
    let mut known = story.given.clone();
    let mut number = 0;
    for chapter in &story.chapters {
        if !json {
            print!("{}", show::chapter(chapter));
        }
        for inquiry in &chapter.inquiries {
            number += 1;
            let answered = match ask(layout, inquiry, &known).await {
                Ok(answered) => answered,
                Err(error) => {
                    told.cannot(&inquiry.title_en, &sentence(&error), json);
                    continue;
                }
            };
            inquiry.remember(&answered.json(), &mut known);
            if json {
                println!("{}", show::inquiry_json(inquiry, &answered));
            } else {
                print!("{}", show::inquiry(number, inquiry, &answered));
            }
            told.note(inquiry, &answered);
        }
        for step in &chapter.dials {
            number += 1;
            let (address, came) = match dialled(layout, step).await {
                Ok(dialled) => dialled,
                Err(why) => {
                    told.cannot(&step.title_en, &why, json);
                    continue;
                }
            };
            if json {
                println!("{}", show::dial_json(step, &came));
            } else {
                print!("{}", show::dial(number, step, address, &came));
            }
            if !matches!(came, Dialled::Alert(_)) {
                told.wrong.push(format!("{} dials {}: {came:?}", step.from, step.to));
            }
        }
    }
    told
}

impl Told {
    fn cannot(&mut self, title: &str, why: &str, json: bool) {
        if json {
            println!("{}", show::failure_json(title, why));
        } else {
            print!("{}", show::failure(title, why));
        }
        self.wrong.push(format!("{title}: {why}"));
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
