"""Stage 3a, write_ecm: carries out commands to Extended ECM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import TypeAdapter

from streams.messages.commands import (
    ECM_COMMANDS,
    EcmCommand,
    EnsureFolder,
    EnsureWorkspace,
    RelateWorkspaces,
    RestrictAccess,
    SetRetention,
    SetRoleMembers,
    StartWorkflow,
    StopWorkflow,
    UnrelateWorkspaces,
    UpdateWorkspace,
)
from streams.messages.outcomes import (
    AnyOutcome,
    FolderEnsured,
    StepDone,
    WorkflowStarted,
    WorkspaceEnsured,
)
from streams.ports import EcmGateway
from streams.writers.writing import Writer


@dataclass
class EcmWriter(Writer):
    """The writer of Extended ECM."""

    gateway: EcmGateway

    name: ClassVar[str] = "write-ecm"
    system: ClassVar[str] = "ecm"
    ledger: ClassVar[str] = "ledger_ecm"
    commands: ClassVar[TypeAdapter[Any]] = ECM_COMMANDS

    async def carry_out(self, command: EcmCommand) -> AnyOutcome:
        match command:
            case EnsureWorkspace():
                return await self._ensure(command)
            case StartWorkflow():
                return await self._start(command)
            case EnsureFolder():
                return await self._ensure_folder(command)
            case RelateWorkspaces():
                await self.gateway.relate(
                    command.workspace_id, related_id=command.related_id, relation=command.relation
                )
            case UnrelateWorkspaces():
                await self.gateway.unrelate(
                    command.workspace_id, related_id=command.related_id, relation=command.relation
                )
            case StopWorkflow():
                await self.gateway.stop_workflow(command.workflow_id)
            case _:
                await self._furnish(command)
        return StepDone(**self.common(command))

    async def _furnish(
        self,
        command: UpdateWorkspace | SetRoleMembers | RestrictAccess | SetRetention,
    ) -> None:
        """What is in and on one workspace."""
        match command:
            case UpdateWorkspace():
                await self.gateway.update_workspace(
                    command.workspace_id, name=command.name, attributes=command.attributes
                )
            case SetRoleMembers():
                await self.gateway.set_role_members(
                    command.workspace_id, role=command.role, members=command.members
                )
            case RestrictAccess():
                await self.gateway.restrict_access(command.workspace_id, roles=command.roles)
            case SetRetention():
                await self.gateway.set_retention(
                    command.workspace_id,
                    classification=command.classification,
                    starts_on=command.starts_on,
                )

    async def _ensure_folder(self, command: EnsureFolder) -> FolderEnsured:
        folder = await self.gateway.ensure_folder(
            command.workspace_id,
            path=command.path,
            key=command.folder_key,
            name=command.name,
            attributes=command.attributes,
        )
        return FolderEnsured(
            **self.common(command),
            workspace_id=command.workspace_id,
            folder_id=folder.id,
            name=folder.name,
            url=folder.url,
        )

    async def _start(self, command: StartWorkflow) -> WorkflowStarted:
        workflow_id = await self.gateway.start_workflow(
            command.workspace_id,
            workflow_map=command.workflow_map,
            key=command.id,
            title=command.title,
            comment=command.comment,
            attributes=command.attributes,
            documents=command.documents,
        )
        return WorkflowStarted(**self.common(command), workflow_id=workflow_id, round=command.round)

    async def _ensure(self, command: EnsureWorkspace) -> WorkspaceEnsured:
        workspace = await self.gateway.ensure_workspace(
            command.business_object,
            workspace_type=command.workspace_type,
            template=command.template,
            name=command.name,
            attributes=command.attributes,
        )
        return WorkspaceEnsured(
            **self.common(command),
            workspace_id=workspace.id,
            name=workspace.name,
            url=workspace.url,
            created=workspace.created,
            properties=command.properties if workspace.created else None,
        )
