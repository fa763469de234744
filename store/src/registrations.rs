//! Bindings, so that they survive a restart. The Journal writes behind: a binding whole when it changes, a narrow row when only
//! its time is new; in transactions of a few milliseconds.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect,
    Statement, StreamTrait,
};
use tollgate_types::{ConnId, Flow, UserId, Wall};

use crate::column;
use crate::entity::{registration, registration_expiry, user};
use crate::error::{Error, Result};
use crate::open::{Engine, Store, Writing};

/// Rows a transaction writes: about 5 ms of SQLite's write lock.
const CHUNK: usize = 250;

/// A binding as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Whose.
    pub user: UserId,
    /// Names it within its user.
    pub number: u32,
    /// How its REGISTER came; a connection does not outlive the process, so `conn` is not remembered.
    pub flow: Flow,
    /// The contact's URI as the device wrote it.
    pub contact: String,
    /// RFC 5626: the device's URN; empty where it has none.
    pub instance: String,
    /// RFC 5626: which of the device's flows this is.
    pub reg_id: Option<u32>,
    /// The Call-ID of its REGISTERs.
    pub call_id: String,
    /// The CSeq of the REGISTER that last changed it.
    pub cseq: u32,
    /// What the device calls itself.
    pub user_agent: String,
    /// RFC 3327: the proxies between it and us, one a line.
    pub paths: String,
    /// Preference in thousandths.
    pub q: u16,
    /// When it was first set.
    pub since: Wall,
    /// When it was last changed.
    pub refreshed_at: Wall,
    /// When it ends.
    pub expires_at: Wall,
}

/// What happened to a binding.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "a few hundred wait in a batch, most of them whole")]
pub enum Change {
    /// It is new, or reached otherwise now.
    Put(Row),
    /// Only its time is new.
    Expiry {
        /// Whose.
        user: UserId,
        /// Which.
        number: u32,
        /// When it ends.
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

/// Writes changes, of each binding the last. Users that were removed meanwhile are passed over.
pub async fn write(store: &Store, changes: &[Change]) -> Result<()> {
    let mut last: BTreeMap<(UserId, u32), Change> = BTreeMap::new();
    for change in changes {
        match (change, last.get_mut(&change.key())) {
            // The whole row waits already: it goes with its new time.
            (Change::Expiry { expires_at, .. }, Some(Change::Put(row))) => row.expires_at = *expires_at,
            _ => drop(last.insert(change.key(), change.clone())),
        }
    }
    let all: Vec<Change> = last.into_values().collect();
    for part in all.chunks(CHUNK) {
        write_part(store, part).await?;
    }
    Ok(())
}

/// Hands every binding that has not ended by `now` to `each`, row by row; answers how many there were.
pub async fn load(store: &Store, now: Wall, mut each: impl FnMut(Row)) -> Result<usize> {
    let ask = Statement::from_sql_and_values(store.read().get_database_backend(), JOINED, [now.micros().into()]);
    let mut rows = store.read().stream_raw(ask).await?;
    let mut count = 0;
    while let Some(row) = rows.try_next().await? {
        each(Joined::from_query_result(&row, "")?.read()?);
        count += 1;
    }
    Ok(count)
}

const JOINED: &str =
    "SELECT r.user_id, r.number, r.transport, r.local, r.source, r.contact, r.instance, r.reg_id, r.call_id,
    r.cseq, r.user_agent, r.paths, r.q, r.since, r.refreshed_at, e.expires_at
    FROM registrations r JOIN registration_expiries e ON e.user_id = r.user_id AND e.number = r.number
    WHERE e.expires_at > $1";

/// Bindings in force at `now`, of one user or of all, the latest first.
pub async fn list(store: &Store, user: Option<UserId>, now: Wall) -> Result<Vec<Row>> {
    let mut find = registration::Entity::find().order_by_desc(registration::Column::Since);
    let mut ends = registration_expiry::Entity::find();
    if let Some(user) = user {
        find = find.filter(registration::Column::UserId.eq(user.0));
        ends = ends.filter(registration_expiry::Column::UserId.eq(user.0));
    }
    let ends = ends.filter(registration_expiry::Column::ExpiresAt.gt(now.micros())).all(store.read()).await?;
    let ends: BTreeMap<_, _> = ends.into_iter().map(|row| ((row.user_id, row.number), row.expires_at)).collect();
    let mut bindings = Vec::new();
    for row in find.all(store.read()).await? {
        if let Some(expires_at) = ends.get(&(row.user_id, row.number)) {
            bindings.push(Joined::new(row, *expires_at).read()?);
        }
    }
    Ok(bindings)
}

/// Forgets what ended by `now`.
pub async fn prune(store: &Store, now: Wall) -> Result<()> {
    let over = registration_expiry::Column::ExpiresAt.lte(now.micros());
    let ended = registration_expiry::Entity::find().filter(over.clone()).all(store.read()).await?;
    let ended: Vec<(i64, i64)> = ended.into_iter().map(|row| (row.user_id, row.number)).collect();
    for part in ended.chunks(CHUNK) {
        let writing = store.begin().await?;
        // Only what is still over: it may have been refreshed since it was read.
        let still = registration_expiry::Entity::find()
            .filter(any_of(part, registration_expiry::Column::UserId, registration_expiry::Column::Number))
            .filter(over.clone())
            .all(&*writing)
            .await?;
        let still: Vec<(i64, i64)> = still.into_iter().map(|row| (row.user_id, row.number)).collect();
        remove(&writing, &still).await?;
        writing.commit().await?;
    }
    Ok(())
}

async fn write_part(store: &Store, part: &[Change]) -> Result<()> {
    let writing = store.begin().await?;
    let (mut put, mut times, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    for change in part {
        match change {
            Change::Put(row) => {
                times.push((row.user.0, i64::from(row.number), row.expires_at.micros()));
                put.push(flat(row));
            }
            Change::Expiry { user, number, expires_at } => {
                times.push((user.0, i64::from(*number), expires_at.micros()));
            }
            Change::Gone { user, number } => gone.push((user.0, i64::from(*number))),
        }
    }
    remove(&writing, &gone).await?;
    let known = living(&writing, put.iter().map(|row| row.user_id)).await?;
    put.retain(|row| known.contains(&row.user_id));
    if !put.is_empty() {
        use registration::Column as C;
        let changing = [
            C::Transport,
            C::Local,
            C::Source,
            C::Contact,
            C::Instance,
            C::RegId,
            C::CallId,
            C::Cseq,
            C::UserAgent,
            C::Paths,
            C::Q,
            C::Since,
            C::RefreshedAt,
        ];
        let replaced = OnConflict::columns([C::UserId, C::Number]).update_columns(changing).to_owned();
        let rows = put.into_iter().map(sea_orm::IntoActiveModel::into_active_model);
        registration::Entity::insert_many(rows).on_conflict(replaced).exec_without_returning(&*writing).await?;
    }
    if !times.is_empty() {
        set_times(&writing, store.engine(), &times).await?;
    }
    writing.commit().await
}

/// One statement, whose text does not depend on how many there are; a time without its binding is passed over.
async fn set_times(writing: &Writing, engine: Engine, times: &[(i64, i64, i64)]) -> Result<()> {
    let list = serde_json::to_string(times).map_err(Error::corrupt)?;
    let ask = match engine {
        Engine::Sqlite => {
            "INSERT INTO registration_expiries (user_id, number, expires_at)
             SELECT r.user_id, r.number, j.value ->> 2 FROM json_each($1) j
             CROSS JOIN registrations r WHERE r.user_id = j.value ->> 0 AND r.number = j.value ->> 1
             ON CONFLICT (user_id, number) DO UPDATE SET expires_at = excluded.expires_at"
        }
        Engine::Postgres => {
            "INSERT INTO registration_expiries (user_id, number, expires_at)
             SELECT r.user_id, r.number, (j ->> 2)::bigint FROM json_array_elements($1::json) j
             JOIN registrations r ON r.user_id = (j ->> 0)::bigint AND r.number = (j ->> 1)::bigint
             ON CONFLICT (user_id, number) DO UPDATE SET expires_at = excluded.expires_at"
        }
    };
    let backend = ConnectionTrait::get_database_backend(&**writing);
    writing.execute_raw(Statement::from_sql_and_values(backend, ask, [list.into()])).await?;
    Ok(())
}

async fn remove(writing: &Writing, gone: &[(i64, i64)]) -> Result<()> {
    if !gone.is_empty() {
        let them = any_of(gone, registration::Column::UserId, registration::Column::Number);
        registration::Entity::delete_many().filter(them).exec(&**writing).await?;
    }
    Ok(())
}

async fn living(writing: &Writing, users: impl Iterator<Item = i64>) -> Result<BTreeSet<i64>> {
    let asked: BTreeSet<i64> = users.collect();
    if asked.is_empty() {
        return Ok(asked);
    }
    let find = user::Entity::find().select_only().column(user::Column::Id).filter(user::Column::Id.is_in(asked));
    let found: Vec<i64> = find.into_tuple().all(&**writing).await?;
    Ok(found.into_iter().collect())
}

fn any_of(rows: &[(i64, i64)], user: impl ColumnTrait, number: impl ColumnTrait) -> Condition {
    let one = |(of, which): &(i64, i64)| Condition::all().add(user.eq(*of)).add(number.eq(*which));
    rows.iter().fold(Condition::any(), |any, row| any.add(one(row)))
}

fn flat(row: &Row) -> registration::Model {
    registration::Model {
        user_id: row.user.0,
        number: i64::from(row.number),
        transport: row.flow.transport.to_string(),
        local: row.flow.local.to_string(),
        source: row.flow.peer.to_string(),
        contact: row.contact.clone(),
        instance: row.instance.clone(),
        reg_id: row.reg_id.map(i64::from),
        call_id: row.call_id.clone(),
        cseq: i64::from(row.cseq),
        user_agent: row.user_agent.clone(),
        paths: row.paths.clone(),
        q: i64::from(row.q),
        since: row.since.micros(),
        refreshed_at: row.refreshed_at.micros(),
    }
}

#[derive(FromQueryResult)]
struct Joined {
    user_id: i64,
    number: i64,
    transport: String,
    local: String,
    source: String,
    contact: String,
    instance: String,
    reg_id: Option<i64>,
    call_id: String,
    cseq: i64,
    user_agent: String,
    paths: String,
    q: i64,
    since: i64,
    refreshed_at: i64,
    expires_at: i64,
}

impl Joined {
    fn new(row: registration::Model, expires_at: i64) -> Joined {
        Joined {
            user_id: row.user_id,
            number: row.number,
            transport: row.transport,
            local: row.local,
            source: row.source,
            contact: row.contact,
            instance: row.instance,
            reg_id: row.reg_id,
            call_id: row.call_id,
            cseq: row.cseq,
            user_agent: row.user_agent,
            paths: row.paths,
            q: row.q,
            since: row.since,
            refreshed_at: row.refreshed_at,
            expires_at,
        }
    }

    fn read(self) -> Result<Row> {
        let place = (self.user_id, self.number);
        let place = format_args!("registration {}/{}", place.0, place.1);
        Ok(Row {
            user: UserId(self.user_id),
            number: column::count(self.number, place)?,
            flow: Flow {
                transport: self.transport.parse().map_err(|()| Error::corrupt(format!("{place}: transport")))?,
                local: column::read(&self.local, place)?,
                peer: column::read(&self.source, place)?,
                conn: ConnId::default(),
            },
            contact: self.contact,
            instance: self.instance,
            reg_id: column::count_option(self.reg_id, place)?,
            call_id: self.call_id,
            cseq: column::count(self.cseq, place)?,
            user_agent: self.user_agent,
            paths: self.paths,
            q: column::count(self.q, place)?,
            since: Wall::from_micros(self.since),
            refreshed_at: Wall::from_micros(self.refreshed_at),
            expires_at: Wall::from_micros(self.expires_at),
        })
    }
}

impl Change {
    fn key(&self) -> (UserId, u32) {
        match self {
            Change::Put(row) => (row.user, row.number),
            Change::Expiry { user, number, .. } | Change::Gone { user, number } => (*user, *number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{both, by};
    use crate::users::{self, Payer, UserTerms};

    both!(bindings_survive_and_end);

    async fn bindings_survive_and_end(store: Store) {
        let payer = || Payer::Own(Box::default());
        let user = users::create(&store, &by(1), &UserTerms::new("anna"), payer(), None).await.unwrap().id;
        let flow = Flow {
            transport: tollgate_types::Transport::Tcp,
            local: "[2001:db8::1]:5060".parse().unwrap(),
            peer: "[2001:db8::2]:40000".parse().unwrap(),
            conn: ConnId(0),
        };
        let row = |number, expires: i64| Row {
            user,
            number,
            flow,
            contact: "sip:anna@10.0.0.1".into(),
            instance: "urn:uuid:1".into(),
            reg_id: Some(1),
            call_id: "x@y".into(),
            cseq: 7,
            user_agent: "Phone \"1\"".into(),
            paths: "<sip:edge;lr>\n<sip:edge2;lr>".into(),
            q: 500,
            since: Wall::from_secs(100),
            refreshed_at: Wall::from_secs(100),
            expires_at: Wall::from_secs(expires),
        };
        let stranger = Row { user: UserId(999), ..row(1, 200) };
        let expiry = |number, at| Change::Expiry { user, number, expires_at: Wall::from_secs(at) };
        let first = [Change::Put(row(1, 160)), Change::Put(row(2, 160)), Change::Put(stranger), expiry(2, 170)];
        write(&store, &first).await.unwrap();
        write(&store, &[expiry(1, 200), expiry(77, 200)]).await.unwrap();
        let remembered = async |now| {
            let mut found = Vec::new();
            let count = load(&store, Wall::from_secs(now), |row| found.push(row)).await.unwrap();
            assert_eq!(count, found.len());
            found.sort_by_key(|row| row.number);
            found
        };
        assert_eq!(remembered(150).await, [row(1, 200), row(2, 170)]);
        assert_eq!(remembered(170).await, [row(1, 200)]);
        assert_eq!(list(&store, Some(user), Wall::from_secs(150)).await.unwrap().len(), 2);
        prune(&store, Wall::from_secs(170)).await.unwrap();
        assert_eq!(remembered(0).await, [row(1, 200)]);
        write(&store, &[Change::Gone { user, number: 1 }]).await.unwrap();
        assert!(remembered(0).await.is_empty());
        // A removed user takes his bindings along.
        write(&store, &[Change::Put(row(3, 500))]).await.unwrap();
        users::remove(&store, &by(2), "ANNA").await.unwrap();
        assert!(remembered(0).await.is_empty());
    }
}
