//! Bindings, so that they survive a restart. The Journal writes behind: a binding whole when it changes, a narrow row when it
//! was merely refreshed; both coalesced, in transactions of a few milliseconds.

use std::net::SocketAddr;

use futures_util::TryStreamExt;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, Statement,
    StreamTrait,
};
use tollgate_types::{Transport, UserId, Wall};

use crate::column;
use crate::entity::{registration, registration_expiry};
use crate::error::{Error, Result};
use crate::open::{Engine, Store};

/// Rows a transaction writes: about 5 ms of the write lock.
const CHUNK: usize = 400;

/// A binding as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindingRow {
    /// Whose.
    pub user: UserId,
    /// Names it within its user.
    pub number: u32,
    /// The node that keeps it.
    pub node: u16,
    /// What carries it.
    pub transport: Transport,
    /// Our end.
    pub local: SocketAddr,
    /// Their end, as our socket saw it.
    pub source: SocketAddr,
    /// The contact's URI as the device wrote it.
    pub contact: String,
    /// RFC 5626: the device's URN; empty where it has none.
    pub instance: String,
    /// RFC 5626: which of the device's flows this is.
    pub reg_id: Option<u32>,
    /// The Call-ID of its REGISTERs.
    pub call_id: String,
    /// What the device calls itself.
    pub user_agent: String,
    /// RFC 3327: proxies between it and us, one a line.
    pub path: String,
    /// Preference in thousandths.
    pub q: u16,
    /// When it was first set.
    pub since: Wall,
    /// The CSeq of the latest REGISTER.
    pub cseq: u32,
    /// When it ends.
    pub expires_at: Wall,
}

/// One thing that happened to a binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// It is new, or has changed.
    Set(Box<BindingRow>),
    /// It only lasts longer.
    Refreshed {
        /// Whose.
        user: UserId,
        /// Which.
        number: u32,
        /// The CSeq of the latest REGISTER.
        cseq: u32,
        /// When it ends now.
        expires_at: Wall,
    },
    /// It is gone.
    Gone {
        /// Whose.
        user: UserId,
        /// Which.
        number: u32,
    },
}

/// Writes what happened, in order of time; the last happening to a binding stands. Users that were removed meanwhile are passed
/// over.
pub async fn save(store: &Store, happenings: &[Happening]) -> Result<()> {
    let mut last = std::collections::BTreeMap::new();
    for happening in happenings {
        match (happening, last.get_mut(&happening.key())) {
            // A refresh of what is still to be written whole goes into that.
            (Happening::Refreshed { cseq, expires_at, .. }, Some(Happening::Set(row))) => {
                (row.cseq, row.expires_at) = (*cseq, *expires_at);
            }
            _ => drop(last.insert(happening.key(), happening.clone())),
        }
    }
    let all: Vec<Happening> = last.into_values().collect();
    for part in all.chunks(CHUNK) {
        write(store, part).await?;
    }
    Ok(())
}

/// Everything that has not ended by `now`, row by row.
pub async fn load(store: &Store, now: Wall, mut each: impl FnMut(BindingRow)) -> Result<usize> {
    let backend = sea_orm::ConnectionTrait::get_database_backend(store.read());
    let ask = "SELECT r.user_id, r.number, r.node_id, r.transport, r.local, r.source, r.contact, r.instance, r.reg_id,
        r.call_id, r.user_agent, r.path, r.q, r.since, e.cseq, e.expires_at
        FROM registrations r JOIN registration_expiries e ON e.user_id = r.user_id AND e.number = r.number
        WHERE e.expires_at > $1";
    let ask = Statement::from_sql_and_values(backend, ask, [now.micros().into()]);
    let mut rows = store.read().stream_raw(ask).await?;
    let mut count = 0;
    while let Some(row) = rows.try_next().await? {
        each(Joined::from_query_result(&row, "")?.read()?);
        count += 1;
    }
    Ok(count)
}

/// Bindings in force at `now`, of one user or of all, the latest first.
pub async fn list(store: &Store, user: Option<UserId>, now: Wall) -> Result<Vec<BindingRow>> {
    let mut find = registration::Entity::find().order_by_desc(registration::Column::Since);
    let mut ends = registration_expiry::Entity::find();
    if let Some(user) = user {
        find = find.filter(registration::Column::UserId.eq(user.0));
        ends = ends.filter(registration_expiry::Column::UserId.eq(user.0));
    }
    let ends = ends.filter(registration_expiry::Column::ExpiresAt.gt(now.micros())).all(store.read()).await?;
    let ends: std::collections::BTreeMap<_, _> =
        ends.into_iter().map(|row| ((row.user_id, row.number), (row.cseq, row.expires_at))).collect();
    let mut bindings = Vec::new();
    for row in find.all(store.read()).await? {
        if let Some((cseq, expires_at)) = ends.get(&(row.user_id, row.number)) {
            bindings.push(Joined::new(row, *cseq, *expires_at).read()?);
        }
    }
    Ok(bindings)
}

/// Forgets what ended before `now`.
pub async fn prune(store: &Store, now: Wall) -> Result<()> {
    let ended = registration_expiry::Entity::find()
        .filter(registration_expiry::Column::ExpiresAt.lte(now.micros()))
        .all(store.read())
        .await?;
    let gone = ended.into_iter().map(|row| Gone { user: row.user_id, number: row.number });
    let gone: Vec<Gone> = gone.collect();
    for part in gone.chunks(CHUNK) {
        let writing = store.begin().await?;
        // Only what is still over: it may have been refreshed since it was read.
        let over = registration_expiry::Entity::find()
            .filter(any_of(part, registration_expiry::Column::UserId, registration_expiry::Column::Number))
            .filter(registration_expiry::Column::ExpiresAt.lte(now.micros()))
            .all(&*writing)
            .await?;
        let over: Vec<Gone> = over.into_iter().map(|row| Gone { user: row.user_id, number: row.number }).collect();
        if !over.is_empty() {
            let gone = any_of(&over, registration::Column::UserId, registration::Column::Number);
            registration::Entity::delete_many().filter(gone).exec(&*writing).await?;
        }
        writing.commit().await?;
    }
    Ok(())
}

async fn write(store: &Store, part: &[Happening]) -> Result<()> {
    let writing = store.begin().await?;
    let (mut set, mut ends, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    for happening in part {
        match happening {
            Happening::Set(row) => {
                ends.push((row.user.0, i64::from(row.number), i64::from(row.cseq), row.expires_at.micros()));
                set.push(flat(row));
            }
            Happening::Refreshed { user, number, cseq, expires_at } => {
                ends.push((user.0, i64::from(*number), i64::from(*cseq), expires_at.micros()));
            }
            Happening::Gone { user, number } => gone.push(Gone { user: user.0, number: i64::from(*number) }),
        }
    }
    if !gone.is_empty() {
        let gone = any_of(&gone, registration::Column::UserId, registration::Column::Number);
        registration::Entity::delete_many().filter(gone).exec(&*writing).await?;
    }
    if !set.is_empty() {
        let users: Vec<i64> = set.iter().map(|row| *row.user_id.as_ref()).collect();
        let known = living(&writing, users).await?;
        set.retain(|row| known.contains(row.user_id.as_ref()));
    }
    if !set.is_empty() {
        use registration::Column as C;
        let replaced = OnConflict::columns([C::UserId, C::Number])
            .update_columns([
                C::NodeId, C::Transport, C::Local, C::Source, C::Contact, C::Instance, C::RegId, C::CallId,
                C::UserAgent, C::Path, C::Q, C::Since,
            ])
            .to_owned();
        registration::Entity::insert_many(set).on_conflict(replaced).exec_without_returning(&*writing).await?;
    }
    if !ends.is_empty() {
        refresh(&writing, store.engine(), &ends).await?;
    }
    writing.commit().await
}

/// One statement, whose text depends on nothing but the number of rows; a row without its binding is passed over.
async fn refresh(writing: &crate::open::Writing, engine: Engine, ends: &[(i64, i64, i64, i64)]) -> Result<()> {
    use sea_orm::ConnectionTrait;
    let list = serde_json::to_string(ends).map_err(Error::corrupt)?;
    let ask = match engine {
        Engine::Sqlite => {
            "INSERT INTO registration_expiries (user_id, number, cseq, expires_at)
             SELECT r.user_id, r.number, j.value ->> 2, j.value ->> 3 FROM json_each($1) j
             JOIN registrations r ON r.user_id = j.value ->> 0 AND r.number = j.value ->> 1 WHERE true
             ON CONFLICT (user_id, number) DO UPDATE SET cseq = excluded.cseq, expires_at = excluded.expires_at"
        }
        Engine::Postgres => {
            "INSERT INTO registration_expiries (user_id, number, cseq, expires_at)
             SELECT r.user_id, r.number, (j ->> 2)::bigint, (j ->> 3)::bigint FROM json_array_elements($1::json) j
             JOIN registrations r ON r.user_id = (j ->> 0)::bigint AND r.number = (j ->> 1)::bigint
             ON CONFLICT (user_id, number) DO UPDATE SET cseq = excluded.cseq, expires_at = excluded.expires_at"
        }
    };
    let backend = ConnectionTrait::get_database_backend(&**writing);
    writing.execute_raw(Statement::from_sql_and_values(backend, ask, [list.into()])).await?;
    Ok(())
}

async fn living(writing: &crate::open::Writing, users: Vec<i64>) -> Result<std::collections::BTreeSet<i64>> {
    use sea_orm::QuerySelect;
    let find = crate::entity::user::Entity::find().select_only().column(crate::entity::user::Column::Id);
    let found: Vec<i64> =
        find.filter(crate::entity::user::Column::Id.is_in(users)).into_tuple().all(&**writing).await?;
    Ok(found.into_iter().collect())
}

struct Gone {
    user: i64,
    number: i64,
}

fn any_of(gone: &[Gone], user: impl ColumnTrait, number: impl ColumnTrait) -> Condition {
    gone.iter().fold(Condition::any(), |any, row| {
        any.add(Condition::all().add(user.eq(row.user)).add(number.eq(row.number)))
    })
}

fn flat(row: &BindingRow) -> registration::ActiveModel {
    registration::ActiveModel {
        user_id: Set(row.user.0),
        number: Set(i64::from(row.number)),
        node_id: Set(i64::from(row.node)),
        transport: Set(row.transport.to_string()),
        local: Set(row.local.to_string()),
        source: Set(row.source.to_string()),
        contact: Set(row.contact.clone()),
        instance: Set(row.instance.clone()),
        reg_id: Set(row.reg_id.map(i64::from)),
        call_id: Set(row.call_id.clone()),
        user_agent: Set(row.user_agent.clone()),
        path: Set(row.path.clone()),
        q: Set(i64::from(row.q)),
        since: Set(row.since.micros()),
    }
}

#[derive(FromQueryResult)]
struct Joined {
    user_id: i64,
    number: i64,
    node_id: i64,
    transport: String,
    local: String,
    source: String,
    contact: String,
    instance: String,
    reg_id: Option<i64>,
    call_id: String,
    user_agent: String,
    path: String,
    q: i64,
    since: i64,
    cseq: i64,
    expires_at: i64,
}

impl Joined {
    fn new(row: registration::Model, cseq: i64, expires_at: i64) -> Joined {
        Joined {
            user_id: row.user_id,
            number: row.number,
            node_id: row.node_id,
            transport: row.transport,
            local: row.local,
            source: row.source,
            contact: row.contact,
            instance: row.instance,
            reg_id: row.reg_id,
            call_id: row.call_id,
            user_agent: row.user_agent,
            path: row.path,
            q: row.q,
            since: row.since,
            cseq,
            expires_at,
        }
    }

    fn read(self) -> Result<BindingRow> {
        let place = format_args!("registration {}/{}", self.user_id, self.number).to_string();
        let transport = self.transport.parse().map_err(|()| Error::corrupt(format!("{place}: transport")))?;
        Ok(BindingRow {
            user: UserId(self.user_id),
            number: column::count(self.number, &place)?,
            node: column::count(self.node_id, &place)?,
            transport,
            local: column::read(&self.local, &place)?,
            source: column::read(&self.source, &place)?,
            contact: self.contact,
            instance: self.instance,
            reg_id: column::count_option(self.reg_id, &place)?,
            call_id: self.call_id,
            user_agent: self.user_agent,
            path: self.path,
            q: column::count(self.q, &place)?,
            since: Wall::from_micros(self.since),
            cseq: column::count(self.cseq, &place)?,
            expires_at: Wall::from_micros(self.expires_at),
        })
    }
}

impl Happening {
    fn key(&self) -> (UserId, u32) {
        match self {
            Happening::Set(row) => (row.user, row.number),
            Happening::Refreshed { user, number, .. } | Happening::Gone { user, number } => (*user, *number),
        }
    }
}
