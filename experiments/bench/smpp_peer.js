// npm `smpp` as the other side, for bench_smpp.py. One JSON object a line on stdout.
//   node smpp_peer.js smsc                       listens on a free port; a receipt for each message
//   node smpp_peer.js esme PORT COUNT WINDOW     submits COUNT messages twice, the first time to warm up
const smpp = require('smpp');
const say = (what) => process.stdout.write(JSON.stringify(what) + '\n');
const MESSAGE = {
  source_addr_ton: 3, source_addr_npi: 1, source_addr: '1008601', dest_addr_ton: 1, dest_addr_npi: 1,
  registered_delivery: 1, data_coding: 8, validity_period: '061123163000032+',
  short_message: Buffer.alloc(120, 'kairos'),
};

function smsc() {
  let count = 0;
  const server = smpp.createServer((session) => {
    session.on('error', () => {});
    session.on('bind_transceiver', (pdu) => session.send(pdu.response({ system_id: 'npm' })));
    session.on('enquire_link', (pdu) => session.send(pdu.response()));
    session.on('unbind', (pdu) => { session.send(pdu.response()); session.close(); });
    session.on('submit_sm', (pdu) => {
      count += 1;
      const id = 'n' + count;
      session.send(pdu.response({ message_id: id }));
      session.deliver_sm({
        source_addr_ton: 1, source_addr_npi: 1, source_addr: pdu.destination_addr,
        destination_addr: pdu.source_addr, esm_class: 4,
        short_message: `id:${id} sub:001 dlvrd:001 submit date:0611231630 done date:0611231630 stat:DELIVRD err:000 text:`,
        receipted_message_id: id, message_state: 2,
      });
    });
  });
  server.listen(0, '127.0.0.1', () => say({ port: server.address().port }));
}

function esme(port, count, window) {
  const session = smpp.connect({ host: '127.0.0.1', port }, () => {
    session.bind_transceiver({ system_id: 'kairos', password: 'secret' }, () => turn((warm) => turn((hot) => {
      say({ warm, per_s: hot });
      session.unbind(() => session.close());
    })));
  });
  let receipts = 0;
  let whenAll = null;
  session.on('deliver_sm', (pdu) => {
    session.send(pdu.response());
    receipts += 1;
    if (receipts === count) whenAll();
  });
  session.on('close', () => process.exit(0));
  function turn(done) {
    const began = process.hrtime.bigint();
    let sent = 0;
    let answered = 0;
    receipts = 0;
    const end = () => {
      if (answered === count && receipts === count) {
        done(count / (Number(process.hrtime.bigint() - began) / 1e9));
      }
    };
    whenAll = end;
    const next = () => {
      sent += 1;
      session.submit_sm({ ...MESSAGE, destination_addr: String(8613900000000 + sent) }, (answer) => {
        if (answer.command_status) throw new Error('refused: ' + answer.command_status);
        answered += 1;
        if (sent < count) next();
        end();
      });
    };
    for (let i = Math.min(window, count); i > 0; i -= 1) next();
  }
}

const [, , what, ...rest] = process.argv;
({ smsc, esme })[what](...rest.map(Number));
