"""A small synchronous face over paho: connect, subscribe, publish, take the next message, each with a deadline."""

import queue
import threading

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

DEADLINE_S = 15
HOST = "127.0.0.1"


class Client:
    """One connection. `version` is 4 (MQTT 3.1.1) or 5."""

    def __init__(self, client_id, version=5, persistent=False, will=None):
        more = {} if version == 5 else {"clean_session": not persistent}
        self.paho = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=client_id, protocol=version, **more)
        self.version, self.persistent = version, persistent
        self.messages, self.closed = queue.Queue(), queue.Queue()
        self.connected, self.up, self.connections = queue.Queue(), threading.Event(), 0
        self.session_present = None
        self.acked, self.ack = set(), threading.Condition()
        self.subscribed = queue.Queue()
        if will is not None:
            topic, payload = will
            self.paho.will_set(topic, payload, qos=1)
        self.paho.on_connect = self._on_connect
        self.paho.on_message = lambda client, data, message: self.messages.put(message)
        self.paho.on_disconnect = self._on_disconnect
        self.paho.on_publish = self._on_publish
        self.paho.on_subscribe = lambda client, data, mid, reasons, properties: self.subscribed.put(reasons)
        self.paho.on_unsubscribe = lambda client, data, mid, reasons, properties: self.subscribed.put(reasons)
        self.paho.max_inflight_messages_set(100)
        self.paho.max_queued_messages_set(0)
        self.paho.reconnect_delay_set(min_delay=0.2, max_delay=0.2)

    def _on_connect(self, client, data, flags, reason, properties):
        self.connections += 1
        self.up.set()
        self.connected.put((reason, flags.session_present))

    def _on_disconnect(self, client, data, flags, reason, properties):
        self.up.clear()
        self.closed.put(reason)

    def _on_publish(self, client, data, mid, reason, properties):
        with self.ack:
            self.acked.add(mid)
            self.ack.notify_all()

    def connect(self, port):
        if self.version == 5:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = 3600 if self.persistent else 0
            self.paho.connect(HOST, port, clean_start=not self.persistent, properties=properties)
        else:
            self.paho.connect(HOST, port)
        self.paho.loop_start()
        reason, self.session_present = self.connected.get(timeout=DEADLINE_S)
        assert not reason.is_failure, f"CONNACK: {reason}"
        return self

    def subscribe(self, topic, qos=1):
        if self.version == 5:
            self.paho.subscribe(topic, options=SubscribeOptions(qos=qos))
        else:
            self.paho.subscribe(topic, qos)
        reasons = self.subscribed.get(timeout=DEADLINE_S)
        assert [reason.value for reason in reasons] == [qos], f"SUBACK: {reasons}"
        return self

    def unsubscribe(self, topic):
        self.paho.unsubscribe(topic)
        self.subscribed.get(timeout=DEADLINE_S)

    def send(self, topic, payload, qos=1, retain=False):
        """Publishes without waiting."""
        return self.paho.publish(topic, payload, qos=qos, retain=retain).mid

    def wait(self, mids, deadline_s=60):
        """Waits until all of them are acknowledged."""
        with self.ack:
            done = self.ack.wait_for(lambda: self.acked.issuperset(mids), timeout=deadline_s)
        assert done, f"not acknowledged: {len(set(mids) - self.acked)} of {len(mids)}"

    def publish(self, topic, payload, qos=1, retain=False):
        """Publishes and waits for the acknowledgement."""
        self.wait([self.send(topic, payload, qos, retain)])

    def take(self, deadline_s=DEADLINE_S):
        return self.messages.get(timeout=deadline_s)

    def expect(self, topic, payload, qos=None, retain=None):
        message = self.take()
        got = (message.topic, message.payload.decode())
        assert got == (topic, payload), f"{got} instead of {(topic, payload)}"
        assert qos is None or message.qos == qos, f"QoS {message.qos} instead of {qos}"
        assert retain is None or message.retain == retain, f"retain {message.retain} instead of {retain}"

    def expect_nothing_before_marker(self, publisher, marker):
        """A message that does match, sent after, arrives first: so the others did not come."""
        publisher.publish(marker, "marker")
        self.expect(marker, "marker")

    def disconnect(self):
        self.paho.disconnect()
        self.paho.loop_stop()

    def stand_still(self):
        """Neither reads nor comes back after the connection broke."""
        self.paho.loop_stop()
