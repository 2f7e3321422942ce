"""The membership requests of classic consumer groups."""

from __future__ import annotations

from typing import Any

from kio.schema.delete_groups.v2.request import DeleteGroupsRequest
from kio.schema.describe_groups.v5.request import DescribeGroupsRequest
from kio.schema.errors import ErrorCode
from kio.schema.heartbeat.v4.request import HeartbeatRequest
from kio.schema.join_group.v9.request import JoinGroupRequest
from kio.schema.leave_group.v5.request import LeaveGroupRequest
from kio.schema.list_groups.v4.request import ListGroupsRequest
from kio.schema.sync_group.v5.request import SyncGroupRequest

from app.sandbox.kafka.context import Broker, Client
from app.sandbox.kafka.groups import Group
from app.sandbox.kafka.members import GroupState, Join, Sync
from app.sandbox.kafka.wire import Answers

_FIRST_WITH_REQUIRED_IDS = 4
_FIRST_WITH_SKIPPED_ASSIGNMENT = 9
_FIRST_LEAVING_TOGETHER = 3
_FIRST_NAMING_PROTOCOLS = 5
_NO_GROUP_STATE = "Dead"


async def join_group(
    broker: Broker, client: Client, request: JoinGroupRequest, answers: Answers
) -> Any:
    """JoinGroup."""
    session_timeout = request.session_timeout.total_seconds()
    rebalance_timeout = session_timeout
    if hasattr(request, "rebalance_timeout"):
        rebalance_timeout = request.rebalance_timeout.total_seconds()
    join = Join(
        member_id=request.member_id,
        instance_id=getattr(request, "group_instance_id", None),
        client_id=client.client_id,
        client_host=client.host,
        session_timeout=session_timeout,
        rebalance_timeout=rebalance_timeout,
        protocol_type=request.protocol_type,
        protocols={protocol.name: protocol.metadata for protocol in request.protocols},
        id_required=answers.version >= _FIRST_WITH_REQUIRED_IDS,
        can_skip_assignment=answers.version >= _FIRST_WITH_SKIPPED_ASSIGNMENT,
    )
    joined = await broker.groups.join(request.group_id, join)
    name = joined.protocol_name
    return answers(
        "JoinGroupResponse",
        error_code=joined.error,
        generation_id=joined.generation,
        protocol_type=joined.protocol_type,
        # Before version 7 the name cannot be null.
        protocol_name=name if answers.version >= 7 else name or "",
        leader=joined.leader,
        skip_assignment=joined.skip_assignment,
        member_id=joined.member_id,
        members=tuple(
            answers(
                "JoinGroupResponseMember",
                member_id=member_id,
                group_instance_id=instance_id,
                metadata=metadata,
            )
            for member_id, instance_id, metadata in joined.members
        ),
    )


async def sync_group(
    broker: Broker, client: Client, request: SyncGroupRequest, answers: Answers
) -> Any:
    """SyncGroup."""
    named = getattr(request, "protocol_type", None) and getattr(request, "protocol_name", None)
    if answers.version >= _FIRST_NAMING_PROTOCOLS and not named:
        return answers(
            "SyncGroupResponse",
            error_code=ErrorCode.inconsistent_group_protocol,
            protocol_type=None,
            protocol_name=None,
            assignment=b"",
        )
    sync = Sync(
        member_id=request.member_id,
        generation=request.generation_id,
        instance_id=getattr(request, "group_instance_id", None),
        protocol_type=getattr(request, "protocol_type", None),
        protocol_name=getattr(request, "protocol_name", None),
        assignments={part.member_id: part.assignment for part in request.assignments},
    )
    synced = await broker.groups.sync(request.group_id, sync)
    return answers(
        "SyncGroupResponse",
        error_code=synced.error,
        protocol_type=synced.protocol_type,
        protocol_name=synced.protocol_name,
        assignment=synced.assignment,
    )


async def heartbeat(
    broker: Broker, client: Client, request: HeartbeatRequest, answers: Answers
) -> Any:
    """Heartbeat."""
    instance_id = getattr(request, "group_instance_id", None)
    error = broker.groups.heartbeat(
        request.group_id, request.member_id, request.generation_id, instance_id
    )
    return answers("HeartbeatResponse", error_code=error)


async def leave_group(
    broker: Broker, client: Client, request: LeaveGroupRequest, answers: Answers
) -> Any:
    """LeaveGroup: one member before version 3, several from there on."""
    if not request.group_id:
        return answers("LeaveGroupResponse", error_code=ErrorCode.invalid_group_id, members=())
    if answers.version < _FIRST_LEAVING_TOGETHER:
        member_id: str = getattr(request, "member_id", "")
        error = broker.groups.leave(request.group_id, member_id, None)
        return answers("LeaveGroupResponse", error_code=error)
    members = tuple(
        answers(
            "MemberResponse",
            member_id=member.member_id,
            group_instance_id=member.group_instance_id,
            error_code=broker.groups.leave(
                request.group_id, member.member_id, member.group_instance_id
            ),
        )
        for member in request.members
    )
    return answers("LeaveGroupResponse", error_code=ErrorCode.none, members=members)


async def describe_groups(
    broker: Broker, client: Client, request: DescribeGroupsRequest, answers: Answers
) -> Any:
    """State and members of groups; one that does not exist is described as dead."""
    groups = tuple(_described(broker, group_id, answers) for group_id in request.groups)
    return answers("DescribeGroupsResponse", groups=groups)


def _described(broker: Broker, group_id: str, answers: Answers) -> Any:
    group = broker.groups.find(group_id)
    is_stable = group is not None and group.state is GroupState.STABLE
    return answers(
        "DescribedGroup",
        error_code=ErrorCode.none,
        group_id=group_id,
        group_state=_NO_GROUP_STATE if group is None else group.state.value,
        protocol_type="" if group is None else group.protocol_type or "",
        protocol_data=group.protocol_name or "" if group is not None and is_stable else "",
        members=() if group is None else _members(group, answers),
    )


def _members(group: Group, answers: Answers) -> tuple[Any, ...]:
    return tuple(
        answers(
            "DescribedGroupMember",
            member_id=member.member_id,
            group_instance_id=member.instance_id,
            client_id=member.client_id,
            client_host=f"/{member.client_host}",
            member_metadata=member.protocols.get(group.protocol_name or "", b""),
            member_assignment=member.assignment,
        )
        for member in group.members.values()
    )


async def list_groups(
    broker: Broker, client: Client, request: ListGroupsRequest, answers: Answers
) -> Any:
    """All groups, or those in the named states."""
    wanted = {state.lower() for state in getattr(request, "states_filter", ())}
    groups = tuple(
        answers(
            "ListedGroup",
            group_id=group.group_id,
            protocol_type=group.protocol_type or "",
            group_state=group.state.value,
        )
        for group in broker.groups.all()
        if not wanted or group.state.value.lower() in wanted
    )
    return answers("ListGroupsResponse", error_code=ErrorCode.none, groups=groups)


async def delete_groups(
    broker: Broker, client: Client, request: DeleteGroupsRequest, answers: Answers
) -> Any:
    """Delete empty groups with their offsets."""
    results = tuple(
        answers(
            "DeletableGroupResult", group_id=group_id, error_code=broker.groups.delete(group_id)
        )
        for group_id in request.groups_names
    )
    return answers("DeleteGroupsResponse", results=results)
