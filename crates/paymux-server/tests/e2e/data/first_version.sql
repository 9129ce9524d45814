-- A ledger as the first version left it: its schema, and payments that were paid and told.
-- {text}, {int}, {bool}, {bytes} and {strict} are the database's own names; {hex} is the row's number in twelve digits.
CREATE TABLE seaql_migrations (version {varchar} NOT NULL PRIMARY KEY, applied_at {int} NOT NULL);
INSERT INTO seaql_migrations (version, applied_at) VALUES ('m0001_spine', 1709251200);
CREATE TABLE payments (
    id {text} NOT NULL PRIMARY KEY,
    app {text} NOT NULL,
    order_no {text} NOT NULL,
    status {text} NOT NULL,
    amount {int} NOT NULL CHECK (amount > 0),
    currency {text} NOT NULL CHECK (length(currency) = 3),
    amount_received {int} NOT NULL CHECK (amount_received >= 0),
    amount_discount {int} NOT NULL CHECK (amount_discount >= 0),
    amount_refunded {int} NOT NULL CHECK (amount_refunded >= 0),
    method {text} NOT NULL,
    subject {text} NOT NULL,
    livemode {bool} NOT NULL,
    held {text},
    next_action {text},
    created_at {int} NOT NULL,
    expires_at {int} NOT NULL,
    paid_at {int},
    failure {text},
    metadata {text} NOT NULL,
    return_url {text},
    notify_url {text},
    route {text} NOT NULL,
    fingerprint {text} NOT NULL,
    version {int} NOT NULL CHECK (version >= 0),
    events {int} NOT NULL CHECK (events >= 0),
    cancel_requested {bool} NOT NULL
){strict};
CREATE UNIQUE INDEX payments_order ON payments (app, order_no);
CREATE INDEX payments_list ON payments (app, id);
CREATE INDEX payments_status ON payments (app, status, id);
CREATE INDEX payments_time ON payments (app, created_at, id);

CREATE TABLE attempts (
    id {text} NOT NULL PRIMARY KEY,
    payment {text} NOT NULL REFERENCES payments (id),
    ordinal {int} NOT NULL CHECK (ordinal >= 0),
    channel {text} NOT NULL,
    provider {text} NOT NULL,
    number {text} NOT NULL,
    state {text} NOT NULL,
    fence {int} NOT NULL CHECK (fence >= 0),
    memo {text} NOT NULL,
    reference {text},
    trade_no {text},
    received {int} CHECK (received >= 0),
    received_currency {text} CHECK (length(received_currency) = 3),
    failure {text},
    created_at {int} NOT NULL,
    ends_at {int} NOT NULL,
    check_at {int},
    checks {int} NOT NULL CHECK (checks >= 0),
    CHECK ((received IS NULL) = (received_currency IS NULL))
){strict};
CREATE UNIQUE INDEX attempts_order ON attempts (payment, ordinal);
CREATE UNIQUE INDEX attempts_live ON attempts (payment) WHERE state IN ('sending', 'open', 'unknown', 'paid');
CREATE UNIQUE INDEX attempts_number ON attempts (channel, number);
CREATE INDEX attempts_due ON attempts (check_at, id) WHERE check_at IS NOT NULL;

CREATE TABLE decisions (
    attempt {text} NOT NULL PRIMARY KEY REFERENCES attempts (id),
    decision {text} NOT NULL
){strict};

CREATE TABLE callbacks (
    id {text} NOT NULL PRIMARY KEY,
    channel {text} NOT NULL,
    received_at {int} NOT NULL,
    verb {text} NOT NULL,
    path {text} NOT NULL,
    query {text},
    headers {text} NOT NULL,
    body {bytes} NOT NULL,
    size {int} NOT NULL CHECK (size >= 0),
    verdict {text} NOT NULL,
    event_key {text},
    payment {text} REFERENCES payments (id),
    detail {text}
){strict};
CREATE UNIQUE INDEX callbacks_applied ON callbacks (channel, event_key) WHERE verdict = 'applied';
CREATE INDEX callbacks_ring ON callbacks (channel, received_at, id, size)
    WHERE verdict IN ('forged', 'unreadable');
CREATE INDEX callbacks_payment ON callbacks (payment, received_at) WHERE payment IS NOT NULL;

CREATE TABLE events (
    id {text} NOT NULL PRIMARY KEY,
    app {text} NOT NULL,
    payment {text} NOT NULL REFERENCES payments (id),
    kind {text} NOT NULL,
    sequence {int} NOT NULL CHECK (sequence > 0),
    created_at {int} NOT NULL,
    body {text} NOT NULL,
    url {text}
){strict};
CREATE UNIQUE INDEX events_sequence ON events (payment, sequence);
CREATE INDEX events_list ON events (app, id);

-- next_at is when a worker may take it: the time of the next try, or the end of a lease.
CREATE TABLE deliveries (
    event {text} NOT NULL PRIMARY KEY REFERENCES events (id),
    app {text} NOT NULL,
    state {text} NOT NULL CHECK (state IN ('pending', 'delivered', 'dead')),
    next_at {int} NOT NULL,
    tries {int} NOT NULL CHECK (tries >= 0),
    fence {int} NOT NULL CHECK (fence >= 0),
    delivered_at {int},
    detail {text}
){strict};
CREATE INDEX deliveries_due ON deliveries (app, next_at, event) WHERE state = 'pending';

INSERT INTO payments SELECT 'pay_01a2017acd9a703b8332' || {hex}, 'shop', 'A' || i, 'succeeded', 1999, 'CNY', 1999, 0, 0,
    'wechat.native', 'Tea', {true}, NULL, NULL, 1709251200000 + i, 1709253000000 + i, 1709251260000 + i, NULL, '{}',
    NULL, NULL, 'default', 'f', 3, 1, {false} FROM {numbers};
INSERT INTO attempts SELECT 'att_01a2017acd9a703b8332' || {hex}, 'pay_01a2017acd9a703b8332' || {hex}, 0, 'box', 'sandbox',
    'N' || i, 'paid', 1, '', NULL, 'T' || i, 1999, 'CNY', NULL, 1709251200000 + i, 1709253000000 + i, NULL, 0
    FROM {numbers};
INSERT INTO decisions SELECT 'att_01a2017acd9a703b8332' || {hex}, '{}' FROM {numbers};
INSERT INTO callbacks SELECT 'cb_01a2017acd9a703b8332' || {hex}, 'box', 1709251260000 + i, 'POST', '/notify/box', NULL,
    '[]', {empty}, 0, 'applied', 'paid ' || i, 'pay_01a2017acd9a703b8332' || {hex}, NULL FROM {numbers};
INSERT INTO events SELECT 'evt_01a2017acd9a703b8332' || {hex}, 'shop', 'pay_01a2017acd9a703b8332' || {hex},
    'payment.succeeded', 1, 1709251260000 + i, '{}', 'https://shop.example.com/hook' FROM {numbers};
INSERT INTO deliveries SELECT 'evt_01a2017acd9a703b8332' || {hex}, 'shop', 'delivered', 1709251260000 + i, 1, 2,
    1709251261000 + i, NULL FROM {numbers};
