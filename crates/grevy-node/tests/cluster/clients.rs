//! What clients of a cluster do, and what they are sent.

use super::*;

impl Cluster {
    pub fn connect(&mut self, at: usize) -> ClientId {
        self.resume(at, SessionId::NONE)
    }

    pub fn resume(&mut self, at: usize, session: SessionId) -> ClientId {
        self.ask_session(at, session, false)
    }

    /// Asks for a session; `read_only`: a server without a leader will do.
    pub fn ask_session(&mut self, at: usize, session: SessionId, read_only: bool) -> ClientId {
        let id = ClientId(self.next_client);
        self.next_client += 1;
        let connection = Connection::new(id, IpAddr::V4(Ipv4Addr::LOCALHOST), self.now.time);
        self.run(at).clients.borrow_mut().insert(id, connection);
        let password = session.password();
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: Zxid::ZERO,
            timeout: 10_000,
            session,
            password: Some(&password),
            read_only: Some(read_only),
        };
        self.frame(at, id, &request.to_bytes());
        id
    }

    pub fn session(&self, at: usize, client: ClientId) -> Option<SessionId> {
        let run = self.servers[at].run.as_ref()?;
        run.clients.with(client, |c| c.session())?
    }

    pub fn create(&mut self, at: usize, client: ClientId, path: &str) -> Xid {
        let record = create_record(path, 0);
        self.request(at, client, OpCode::Create, &record)
    }

    pub fn sync(&mut self, at: usize, client: ClientId) -> Xid {
        self.request(at, client, OpCode::Sync, &"/".to_bytes())
    }

    /// From here on requests are numbered from 1.
    pub fn restart_xids(&mut self) {
        self.next_xid = 1;
    }

    pub fn request(&mut self, at: usize, client: ClientId, op: OpCode, record: &[u8]) -> Xid {
        let xid = Xid(self.next_xid);
        self.next_xid += 1;
        let mut frame = RequestHeader { xid, op: op.wire() }.to_bytes();
        frame.extend_from_slice(record);
        self.frame(at, client, &frame);
        xid
    }

    /// Of a request that was taken from the connection before something else, and is handed to the
    /// node behind that.
    pub fn late(
        &mut self,
        at: usize,
        client: ClientId,
        op: OpCode,
        record: &[u8],
        before: impl FnOnce(&mut Self),
    ) {
        let session = self.session(at, client).unwrap();
        let xid = Xid(self.next_xid);
        self.next_xid += 1;
        before(self);
        let now = self.now;
        let run = self.run(at);
        let request = grevy_node::connection::Request {
            client,
            session,
            xid,
            op,
            record,
            ids: Arc::from([]),
        };
        run.node.submit(now, &run.tree, request);
        self.settle(at);
    }

    fn frame(&mut self, at: usize, client: ClientId, bytes: &[u8]) {
        let now = self.now;
        let run = self.run(at);
        let view = View {
            now: now.time,
            tree: &run.tree,
            watches: &run.watches,
            config: run.node.config(),
        };
        let action = run.clients.with(client, |c| c.handle_frame(bytes, view));
        match action {
            Some(Action::Connect(ask)) => {
                run.node.open_session(now, &run.tree, &run.clients, ask);
            }
            Some(Action::Submit(request)) => run.node.submit(now, &run.tree, request),
            _ => {}
        }
        self.settle(at);
    }

    /// The client's connection breaks.
    pub fn disconnect(&mut self, at: usize, client: ClientId) {
        let closed = self.run(at).clients.borrow_mut().remove(&client);
        if let Some(closed) = closed {
            self.call(at, |node, _, _, _| {
                node.client_closed(client, closed.last_session(), closed.heard());
            });
        }
    }

    /// Why the client's connection is being closed, if it is.
    pub fn closing(&self, at: usize, client: ClientId) -> Option<CloseReason> {
        let run = self.servers[at].run.as_ref()?;
        run.clients.with(client, |c| c.closing().cloned())?
    }

    /// Whether the answer to the client's connect, which is all that it was sent so far, says
    /// that the server is read-only.
    pub fn is_told_read_only(&self, at: usize, client: ClientId) -> bool {
        let run = self.servers[at].run.as_ref().unwrap();
        let last = run.clients.with(client, |c| c.output().last().copied());
        last.flatten() == Some(1)
    }

    /// How many transactions the log has.
    pub fn logged(&self, at: usize) -> usize {
        self.servers[at].disk.log.len()
    }

    /// What a client was sent, as xids with errors. The answer to its connect is left out.
    pub fn replies(&mut self, at: usize, client: ClientId) -> Vec<(Xid, ErrorCode)> {
        let run = self.run(at);
        let bytes = run
            .clients
            .with(client, |c| std::mem::take(c.output()))
            .or_else(|| run.dropped.remove(&client))
            .unwrap_or_default();
        let mut rest = &bytes[..];
        let mut replies = Vec::new();
        while let Some((len, tail)) = rest.split_first_chunk::<4>() {
            let (body, tail) = tail.split_at(i32::from_be_bytes(*len) as usize);
            let mut reader = Reader::new(body);
            if body.len() != 37 || ConnectResponse::decode(&mut reader).is_err() {
                let mut reader = Reader::new(body);
                let header = ReplyHeader::decode(&mut reader).unwrap();
                let code = ErrorCode::from_wire(header.err).unwrap();
                replies.push((header.xid, code));
            }
            rest = tail;
        }
        replies
    }
}
