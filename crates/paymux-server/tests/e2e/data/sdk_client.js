// A merchant's server that uses BeeCloud's own SDK for Node, of which only the host is another.
//
// Started with the SDK's folder, the host, the app's id and its two secrets. Tells what each call gave, a line each;
// goes on after the first when it is told that the order is paid.
'use strict';

const path = require('path');

const [folder, host, appId, appSecret, masterSecret] = process.argv.slice(2);
const Api = require(folder);
require(path.join(folder, 'lib', 'config')).server = host;

const BILL = 'NODE2024030100';
const SCAN = 'NODE2024030200';
const REFUND = new Date(Date.now() + 8 * 3600 * 1000).toISOString().slice(0, 10).replace(/-/g, '') + '0001';

// The SDK sends what earlier calls of an object were given along with each call.
function call(method, fields) {
    const api = new Api();
    api.registerApp(appId, appSecret, masterSecret, '');
    return api[method](Object.assign({ timestamp: Date.now() }, fields));
}

function tell(step, result) {
    console.log(JSON.stringify({ step, result }));
    return result;
}

async function until(step, method, fields, isSo) {
    let result;
    for (let n = 0; n < 600; n += 1) {
        result = await call(method, fields);
        if (isSo(result)) break;
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return tell(step, result);
}

async function main() {
    const bill = { channel: 'WX_NATIVE', total_fee: 1999, bill_no: BILL, title: '一壶茶', optional: { table: '7' } };
    const opened = tell('pay', await call('bill', bill));
    await new Promise((resolve) => process.stdin.once('data', resolve));
    process.stdin.destroy();

    await until('query', 'getBills', { bill_no: BILL }, (told) => told.bills && told.bills[0].spay_result);
    tell('count', await call('getBillsCount', { channel: 'WX', spay_result: true }));
    tell('by_id', await call('getBillById', { id: opened.id }));
    const refund = tell('refund', await call('refund', { refund_no: REFUND, bill_no: BILL, refund_fee: 500 }));
    const status = { channel: 'WX', refund_no: REFUND };
    await until('refund_status', 'getRefundStatus', status, (told) => told.refund_status === 'SUCCESS');
    tell('refunds', await call('getRefunds', { refund_no: REFUND }));
    tell('refunds_count', await call('getRefundsCount', { bill_no: BILL }));
    tell('refund_by_id', await call('getRefundById', { id: refund.id }));
    const scan = { channel: 'WX_SCAN', total_fee: 300, bill_no: SCAN, title: 'Tea', auth_code: '134567890123456782' };
    tell('offline_pay', await call('offlineBill', scan));
    await until('offline_status', 'getOfflineStatus', { bill_no: SCAN }, (told) => told.pay_result === true);
}

main();
