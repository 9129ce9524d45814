"""A merchant's server that uses BeeCloud's own SDK for Python, of which only the host is another.

Started with the host, the app's id and its two secrets. Tells what each call gave, a line each; goes on after the
first when it is told that the order is paid.
"""
import datetime
import json
import sys
import time

import beecloud

# Before its other modules are loaded: they keep what it is then.
host, app_id, app_secret, master_secret = sys.argv[1:5]
beecloud.BEECLOUD_API_HOST = host

from beecloud.entity import BCApp, BCPayReqParams, BCQueryReqParams, BCRefundReqParams  # noqa: E402
from beecloud.pay import BCPay  # noqa: E402
from beecloud.query import BCQuery  # noqa: E402

BILL, SCAN = 'PYTHON20240301', 'PYTHON20240302'
REFUND = (datetime.datetime.utcnow() + datetime.timedelta(hours=8)).strftime('%Y%m%d') + '0001'


def tell(step, result):
    print(json.dumps({'step': step, 'result': result.__dict__}, default=lambda inner: inner.__dict__), flush=True)
    return result


def until(step, ask, is_so):
    for _ in range(600):
        result = ask()
        if is_so(result):
            return tell(step, result)
        time.sleep(0.05)
    return tell(step, result)


def filled(params, **fields):
    for name, value in fields.items():
        setattr(params, name, value)
    return params


app = filled(BCApp(), app_id=app_id, app_secret=app_secret, master_secret=master_secret, timeout=20)
pay, query = BCPay(), BCQuery()
pay.register_app(app)
query.register_app(app)

opened = tell('pay', pay.pay(filled(
    BCPayReqParams(), channel='WX_NATIVE', total_fee=1999, bill_no=BILL, title=u'一壶茶', optional={'table': '7'})))
sys.stdin.readline()

until('query', lambda: query.query_bills(filled(BCQueryReqParams(), bill_no=BILL)),
      lambda told: told.result_code == 0 and told.bills and told.bills[0].spay_result)
tell('count', query.query_bills_count(filled(BCQueryReqParams(), channel='WX', spay_result=True)))
tell('by_id', query.query_bill_by_id(opened.id))
refund = tell('refund', pay.refund(filled(BCRefundReqParams(), refund_no=REFUND, bill_no=BILL, refund_fee=500)))
until('refund_status', lambda: query.query_refund_status('WX', REFUND),
      lambda told: getattr(told, 'refund_status', None) == 'SUCCESS')
tell('refunds', query.query_refunds(filled(BCQueryReqParams(), refund_no=REFUND)))
tell('refunds_count', query.query_refunds_count(filled(BCQueryReqParams(), bill_no=BILL)))
tell('refund_by_id', query.query_refund_by_id(refund.id))
tell('offline_pay', pay.offline_pay(filled(
    BCPayReqParams(), channel='WX_SCAN', total_fee=300, bill_no=SCAN, title='Tea', auth_code='134567890123456782')))
until('offline_status', lambda: query.query_offline_bill_status(SCAN, 'WX_SCAN'),
      lambda told: getattr(told, 'pay_result', None) is True)
