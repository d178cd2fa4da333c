"""paho-mqtt as one of the clients of the matrix."""

import queue

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from convert import message_of, properties_of

DEADLINE_S = 20


class Client:
    """One connection at a time."""

    def __init__(self, version, port):
        self.version, self.port, self.paho = version, port, None

    def connect(self, id, persistent, keep_alive, session_expiry, topic_alias_maximum, will):
        self.messages, self.connected, self.reasons = queue.Queue(), queue.Queue(), queue.Queue()
        if self.version == 5:
            self.paho = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=id, protocol=5)
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = session_expiry
            if topic_alias_maximum:
                properties.TopicAliasMaximum = topic_alias_maximum
            more = {"clean_start": not persistent, "properties": properties}
        else:
            self.paho = paho.Client(
                paho.CallbackAPIVersion.VERSION2, client_id=id, protocol=4, clean_session=not persistent
            )
            more = {}
        if will is not None:
            self.paho.will_set(will["topic"], will["payload"], will["qos"], will["retain"])
        self.paho.on_connect = lambda client, data, flags, reason, properties: self.connected.put(
            (flags, reason, properties)
        )
        self.paho.on_message = lambda client, data, message: self.messages.put(message)
        self.paho.on_publish = lambda client, data, mid, reason, properties: self.reasons.put(reason.value)
        self.paho.on_subscribe = lambda client, data, mid, reasons, properties: self.reasons.put(reasons[0].value)
        self.paho.on_unsubscribe = lambda client, data, mid, reasons, properties: self.reasons.put(0)
        self.paho.connect("127.0.0.1", self.port, keep_alive, **more)
        self.paho.loop_start()
        flags, reason, properties = self.connected.get(timeout=DEADLINE_S)
        assert not reason.is_failure, f"CONNACK: {reason}"
        return {
            "session_present": flags.session_present,
            "assigned_id": getattr(properties, "AssignedClientIdentifier", None),
        }

    def subscribe(self, filter, qos, identifier, no_local, retain_as_published):
        if self.version == 5:
            properties = Properties(PacketTypes.SUBSCRIBE)
            if identifier:
                properties.SubscriptionIdentifier = identifier
            options = SubscribeOptions(qos=qos, noLocal=no_local, retainAsPublished=retain_as_published)
            self.paho.subscribe(filter, options=options, properties=properties)
        else:
            self.paho.subscribe(filter, qos)
        return self.reasons.get(timeout=DEADLINE_S)

    def unsubscribe(self, filter):
        self.paho.unsubscribe(filter)
        self.reasons.get(timeout=DEADLINE_S)

    def publish(self, message):
        properties = properties_of(message) if self.version == 5 else None
        self.paho.publish(message["topic"], message["payload"], message["qos"], message["retain"], properties)
        return self.reasons.get(timeout=DEADLINE_S)

    def next(self):
        return message_of(self.messages.get(timeout=DEADLINE_S))

    def disconnect(self):
        self.paho.disconnect()
        self.paho.loop_stop()

    def cut(self):
        self.paho.loop_stop()
        self.paho.socket().close()

    def leave(self):
        if self.paho is not None:
            self.paho.loop_stop()
