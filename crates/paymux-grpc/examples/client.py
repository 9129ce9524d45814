"""Takes a payment over gRPC and watches it until it has ended, without generated code: what there is to call is asked
of the server, which must have reflection on.

    pip install grpcio==1.85.1 grpcio-reflection==1.85.1 grpcio-status==1.85.1
    python client.py 127.0.0.1:8081 API_KEY A1001

Prints a line of JSON for each state. To show what a refusal looks like, it first asks for a payment of nothing.
"""

import json
import sys

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from google.rpc import error_details_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status

SERVICE = "paymux.v1.PaymentService"


class Client:
    """Calls the service's methods by their names, with dictionaries for messages."""

    def __init__(self, channel, key):
        self.channel = channel
        self.metadata = (("authorization", f"Bearer {key}"),)
        pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
        self.service = pool.FindServiceByName(SERVICE)

    def call(self, name, fields, **metadata):
        """The answer of a method that gives one."""
        method = self.service.FindMethodByName(name)
        return told(self._open(self.channel.unary_unary, method)(*self._sent(method, fields, metadata)))

    def watch(self, name, fields):
        """The answers of a method that gives many, as they come."""
        method = self.service.FindMethodByName(name)
        for message in self._open(self.channel.unary_stream, method)(*self._sent(method, fields, {})):
            yield told(message)

    def _open(self, kind, method):
        request = message_factory.GetMessageClass(method.input_type)
        answer = message_factory.GetMessageClass(method.output_type)
        path = f"/{SERVICE}/{method.name}"
        return kind(path, request_serializer=request.SerializeToString, response_deserializer=answer.FromString)

    def _sent(self, method, fields, metadata):
        request = message_factory.GetMessageClass(method.input_type)()
        message = json_format.ParseDict(fields, request)
        more = tuple((name.replace("_", "-"), value) for name, value in metadata.items())
        return message, 60, self.metadata + more


def told(message):
    """A message as a dictionary, its fields under their own names."""
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def reason(error):
    """The word by which a program knows a refusal: the same as over HTTP."""
    status = rpc_status.from_call(error)
    info = error_details_pb2.ErrorInfo()
    for detail in status.details if status else ():
        if detail.Unpack(info):
            return info.reason
    return None


def main(address, key, order_no):
    with grpc.insecure_channel(address) as channel:
        client = Client(channel, key)
        order = {"order_no": order_no, "amount": 1999, "currency": "CNY", "method": "wechat.native", "subject": "Tea"}
        try:
            client.call("CreatePayment", order | {"amount": 0})
        except grpc.RpcError as error:
            show({"refused": error.code().name, "reason": reason(error), "message": error.details()})
        payment = client.call("CreatePayment", order, idempotency_key=f"key-{order_no}")["payment"]
        for state in client.watch("WatchPayment", {"id": payment["id"]}):
            show({"id": state["id"], "status": state["status"], "number": state["provider_order_no"]})


def show(line):
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:4])
