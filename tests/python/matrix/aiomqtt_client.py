"""aiomqtt as one of the clients of the matrix; its event loop has a thread of its own."""

import asyncio
import socket
import threading

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from convert import message_of, properties_of

DEADLINE_S = 20
LOOP = asyncio.new_event_loop()
threading.Thread(target=LOOP.run_forever, daemon=True).start()


def wait(coroutine):
    return asyncio.run_coroutine_threadsafe(asyncio.wait_for(coroutine, DEADLINE_S), LOOP).result()


class Client:
    """One connection at a time."""

    def __init__(self, version, port):
        self.version, self.port, self.client = version, port, None

    def connect(self, **options):
        wait(self._connect(**options))
        return {"session_present": None, "assigned_id": None}

    async def _connect(self, id, persistent, keep_alive, session_expiry, topic_alias_maximum, will):
        if self.version == 5:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = session_expiry
            if topic_alias_maximum:
                properties.TopicAliasMaximum = topic_alias_maximum
            more = {
                "protocol": aiomqtt.ProtocolVersion.V5,
                "clean_start": not persistent,
                "properties": properties,
            }
        else:
            more = {"protocol": aiomqtt.ProtocolVersion.V311, "clean_session": not persistent}
        if will is not None:
            more["will"] = aiomqtt.Will(will["topic"], will["payload"], will["qos"], will["retain"])
        self.client = aiomqtt.Client("127.0.0.1", self.port, identifier=id, keepalive=keep_alive, **more)
        await self.client.__aenter__()
        self.messages = self.client.messages

    def subscribe(self, filter, qos, identifier, no_local, retain_as_published):
        if self.version == 5:
            properties = Properties(PacketTypes.SUBSCRIBE)
            if identifier:
                properties.SubscriptionIdentifier = identifier
            options = SubscribeOptions(qos=qos, noLocal=no_local, retainAsPublished=retain_as_published)
            reasons = wait(self.client.subscribe(filter, options=options, properties=properties))
        else:
            reasons = wait(self.client.subscribe(filter, qos))
        return getattr(reasons[0], "value", reasons[0])

    def unsubscribe(self, filter):
        wait(self.client.unsubscribe(filter))

    def publish(self, message):
        properties = properties_of(message) if self.version == 5 else None
        publishing = self.client.publish(
            message["topic"], message["payload"], message["qos"], message["retain"], properties
        )
        wait(publishing)

    def next(self):
        return message_of(wait(anext(aiter(self.messages))))

    def disconnect(self):
        wait(self.client.__aexit__(None, None, None))

    def cut(self):
        # There is no other way to its socket.
        self.client._client.socket().shutdown(socket.SHUT_RDWR)

    def leave(self):
        pass
