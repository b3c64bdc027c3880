"""Django with its own login view, sessions, CSRF and conditional requests, and pages that greet by user."""

import os
import sys
import time
from pathlib import Path

import django
from django.conf import settings

DIRECTORY = Path(os.environ["SITE_DIRECTORY"])

settings.configure(
    SECRET_KEY="of the test",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
    MIDDLEWARE=[
        "django.middleware.gzip.GZipMiddleware",
        "django.middleware.http.ConditionalGetMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DIRECTORY / "users.sqlite3"}},
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "loaders": [
                    (
                        "django.template.loaders.locmem.Loader",
                        {
                            "registration/login.html": (
                                '<form method="post">{% csrf_token %}{{ form.as_p }}<button>Sign in</button></form>'
                            )
                        },
                    )
                ],
                "context_processors": ["django.template.context_processors.request"],
            },
        }
    ],
    LOGIN_REDIRECT_URL="/me",
    USE_TZ=True,
)
django.setup()

from django.contrib.auth.decorators import login_required  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.contrib.auth.views import LoginView  # noqa: E402
from django.core.handlers.wsgi import WSGIHandler  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.http import HttpRequest, HttpResponse, JsonResponse  # noqa: E402
from django.template import engines  # noqa: E402
from django.urls import path  # noqa: E402
from django.views.decorators.cache import cache_control  # noqa: E402
from django.views.decorators.http import condition  # noqa: E402
from django.views.decorators.vary import vary_on_cookie  # noqa: E402

LONG = "and so on, " * 100


@login_required
def me(request: HttpRequest) -> HttpResponse:
    time.sleep(0.05)
    return HttpResponse(f"Hello <{request.user.username}>, {LONG}")


def greeting(request: HttpRequest) -> HttpResponse:
    time.sleep(0.05)
    return HttpResponse(f"Hello <{request.user.username or 'stranger'}>, {LONG}")


@cache_control(max_age=60)
@vary_on_cookie
def varied(request: HttpRequest) -> HttpResponse:
    time.sleep(0.05)
    return HttpResponse(f"Hello <{request.user.username or 'stranger'}>, {LONG}")


@login_required
@condition(etag_func=lambda request: f'"{request.user.username}"')
def tagged(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"Hello <{request.user.username}>, {LONG}")


@login_required
def form(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return JsonResponse({"said": request.POST["text"], "by": f"<{request.user.username}>"})
    page = engines["django"].from_string("<{{ request.user.username }}>{% csrf_token %}")
    return HttpResponse(page.render({}, request))


@cache_control(public=True, max_age=60)
def shop(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"the same for all, {LONG}")


urlpatterns = [
    path("accounts/login/", LoginView.as_view()),
    path("me", me),
    path("greeting", greeting),
    path("varied", varied),
    path("tagged", tagged),
    path("form", form),
    path("shop", shop),
]
application = WSGIHandler()

if __name__ == "__main__" and sys.argv[1:] == ["prepare"]:
    call_command("migrate", verbosity=0)
    for name in ("ann", "bob"):
        User.objects.create_user(name, password=f"password of {name}")
