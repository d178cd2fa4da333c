"""Between paho's messages and properties, which aiomqtt has too, and those of the matrix."""

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties


def properties_of(message):
    properties = Properties(PacketTypes.PUBLISH)
    if message["user_properties"]:
        properties.UserProperty = [tuple(pair) for pair in message["user_properties"]]
    if message["content_type"] is not None:
        properties.ContentType = message["content_type"]
    if message["response_topic"] is not None:
        properties.ResponseTopic = message["response_topic"]
    if message["correlation_data"] is not None:
        properties.CorrelationData = message["correlation_data"].encode()
    if message["message_expiry"] is not None:
        properties.MessageExpiryInterval = message["message_expiry"]
    if message["topic_alias"] is not None:
        properties.TopicAlias = message["topic_alias"]
    return properties


def message_of(message):
    properties = message.properties
    correlation_data = getattr(properties, "CorrelationData", None)
    return {
        "topic": str(message.topic),
        "payload": message.payload.decode(),
        "qos": message.qos,
        "retain": bool(message.retain),
        "user_properties": getattr(properties, "UserProperty", []),
        "content_type": getattr(properties, "ContentType", None),
        "response_topic": getattr(properties, "ResponseTopic", None),
        "correlation_data": correlation_data.decode() if correlation_data is not None else None,
        "message_expiry": getattr(properties, "MessageExpiryInterval", None),
        "subscription_identifiers": getattr(properties, "SubscriptionIdentifier", []),
    }
