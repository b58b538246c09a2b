"""One class per path; each method makes one call into the domain."""

from django.conf import settings
from django.http import StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chassis.http.errors import Problem
from chassis.http.openapi import problems
from chassis.http.pagination import NewestFirst
from chassis.http.reading import read_body, read_query
from chassis.messaging.events import InvalidEvent
from chassis.security import permissions
from chassis.security.principal import Principal
from notification_ms.deliveries import dead_letters, event_texts, examples, notices, selectors, serializers, services


class NotificationNotFound(Problem):
    status = 404
    title = "Notification not found"


def _reader(request: Request) -> Principal:
    """The caller, authorized live when its token says admin. Raises as `permissions.live_principal` does."""
    principal: Principal = request.user  # type: ignore[assignment]  # of this project's authentication
    return permissions.live_principal(request) if principal.is_admin else principal


class NotificationCollection(APIView):
    pagination_class = NewestFirst
    personal_token_methods = frozenset({"GET"})

    @extend_schema(
        operation_id="list_notifications",
        parameters=[serializers.NotificationFilter],
        responses={200: serializers.NotificationOutput(many=True), **problems(400, 401, 403, 429)},
        examples=[examples.NOTIFICATION],
        tags=["notifications"],
    )
    def get(self, request: Request) -> Response:
        """List the caller's notifications, newest first; for admins, those of all users."""
        given = read_query(serializers.NotificationFilter, request)
        visible = selectors.notifications_for(_reader(request), **given)
        return self.pagination_class.page_of(visible, request, serializers.NotificationOutput)


class NotificationDetail(APIView):
    personal_token_methods = frozenset({"GET"})

    @extend_schema(
        operation_id="get_notification",
        responses={200: serializers.NotificationOutput, **problems(401, 403, 404, 429)},
        examples=[examples.NOTIFICATION],
        tags=["notifications"],
    )
    def get(self, request: Request, notification_id: int) -> Response:
        """Read one notification: the caller's own, or for admins, any user's."""
        delivery = selectors.notifications_for(_reader(request), id=notification_id).first()
        if delivery is None:
            raise NotificationNotFound
        return Response(serializers.NotificationOutput(delivery).data)


class DeadLetterCollection(APIView):
    permission_classes = [permissions.IsAdmin]
    personal_token_methods = frozenset({"GET"})

    @extend_schema(
        operation_id="list_dead_letters",
        parameters=[serializers.DeadLetterFilter],
        responses={200: serializers.DeadLettersOutput, **problems(400, 401, 403, 429)},
        examples=[examples.DEAD_LETTERS],
        tags=["dead letters"],
    )
    def get(self, request: Request) -> Response:
        """List dead letters and their reasons, for admins."""
        given = read_query(serializers.DeadLetterFilter, request)
        found = dead_letters.find(queue=given.get("queue"), limit=given["limit"])
        return Response(serializers.DeadLettersOutput({"next": None, "previous": None, "results": found}).data)


class Redelivery(APIView):
    permission_classes = [permissions.IsAdmin]
    personal_token_methods = frozenset({"POST"})

    @extend_schema(
        operation_id="redeliver_dead_letters",
        request=serializers.RedeliveryInput,
        responses={200: serializers.RedeliveryOutput, **problems(400, 401, 403, 413, 415, 429)},
        examples=[examples.REDELIVERY, examples.REDELIVERED],
        tags=["dead letters"],
    )
    def post(self, request: Request) -> Response:
        """Redeliver dead letters to their own queue, for admins."""
        given = read_body(serializers.RedeliveryInput, request)
        ids = given.get("ids")
        sent = dead_letters.redeliver(queue=given["queue"], ids=set(ids) if ids else None)
        return Response({"redelivered": sent})


class Preferences(APIView):
    personal_token_methods = frozenset({"GET", "PUT"})

    @extend_schema(
        operation_id="get_preferences",
        responses={200: serializers.PreferencesOutput, **problems(401, 403, 429)},
        examples=[examples.PREFERENCES],
        tags=["preferences"],
    )
    def get(self, request: Request) -> Response:
        """Read the caller's notification preferences by event and channel."""
        return self._answer(request)

    @extend_schema(
        operation_id="set_preferences",
        request=serializers.PreferencesInput,
        responses={200: serializers.PreferencesOutput, **problems(400, 401, 403, 413, 415, 429)},
        examples=[examples.PREFERENCES_INPUT, examples.PREFERENCES],
        tags=["preferences"],
    )
    def put(self, request: Request) -> Response:
        """Set the caller's preferences; omitted ones are enabled. Security emails cannot be switched off."""
        given = read_body(serializers.PreferencesInput, request, known=[serializers.PreferencesOutput])
        chosen = given["preferences"]
        switched_off = [(each["event"], each["medium"]) for each in chosen if not each["enabled"]]
        every = given["login_notices"] == "all"
        services.set_preferences(user_id=request.user.user_id, switched_off=switched_off, every_sign_in=every)
        return self._answer(request)

    def _answer(self, request: Request) -> Response:
        user_id = request.user.user_id
        return Response(
            serializers.PreferencesOutput(
                {
                    "preferences": selectors.preferences_of(user_id),
                    "login_notices": selectors.login_notices_of(user_id),
                    "login_notices_can_be_changed": settings.LOGIN_NOTICES != "all",
                }
            ).data
        )


class Preview(APIView):
    permission_classes = [permissions.IsAdmin]

    @extend_schema(
        operation_id="preview_notice",
        parameters=[
            serializers.PreviewQuery,
            OpenApiParameter("event", {"type": "string", "enum": serializers.EVENTS}, OpenApiParameter.PATH),
        ],
        responses={200: serializers.PreviewOutput, **problems(400, 401, 403, 404)},
        examples=[examples.PREVIEW],
        tags=["notifications"],
    )
    def get(self, request: Request, event: str) -> Response:
        """Preview a notification, for admins."""
        given = read_query(serializers.PreviewQuery, request)
        if event not in event_texts.TEXTS:
            raise NotificationNotFound("There is no notice for this kind of event.")
        try:
            notice = notices.example(event, **given)
        except InvalidEvent as error:
            raise NotificationNotFound("There is no notice for this change of this kind of event.") from error
        texts = {name: notice.text_if_any(file) for name, file in _PREVIEWED.items()}
        return Response(serializers.PreviewOutput(texts).data)


_PREVIEWED = {"subject": notices.SUBJECT, "text": "body.txt", "html": "body.html", "sms": "sms.txt"}


class Export(APIView):
    impersonated_methods: frozenset[str] = frozenset()  # of the user alone

    @extend_schema(
        operation_id="export_notifications",
        responses={200: serializers.ExportOutput, **problems(401, 403)},
        examples=[examples.EXPORT],
        tags=["export"],
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """Export all data that notification-ms stores about the caller."""
        pieces = selectors.export_of(request.user.user_id, at=timezone.now())
        return StreamingHttpResponse(pieces, content_type="application/json")
