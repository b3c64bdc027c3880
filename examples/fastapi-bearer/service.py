"""Projects of several tenants behind bearer tokens, as FastAPI services are written. Nothing in it knows of a cache."""

import itertools
import os
import time
import uuid
from collections import defaultdict
from typing import Annotated

import jwt
from fastapi import Depends, FastAPI, HTTPException, Response, status
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel

SECRET = os.environ["TOKEN_SECRET"]
ISSUER, AUDIENCE, MINUTES = "projects", "projects-api", 30
PASSWORDS = {"ann": "of-ann", "abe": "of-abe", "bob": "of-bob"}
TENANTS = {"ann": "north", "abe": "north", "bob": "south"}
PAGE = 10

app = FastAPI()
numbers = itertools.count(1)
revoked: set[str] = set()


class NewProject(BaseModel):
    name: str


class Project(NewProject):
    id: int
    tenant: str


class Login(BaseModel):
    name: str
    password: str


class User(BaseModel):
    sub: str
    tenant: str
    jti: str


class Projects(dict[int, Project]):
    """What stands for a database table: the projects of one tenant."""

    def add(self, name: str, tenant: str) -> Project:
        project = Project(id=next(numbers), name=name, tenant=tenant)
        self[project.id] = project
        return project


tables: defaultdict[str, Projects] = defaultdict(Projects)
for owner in sorted(set(TENANTS.values())):
    for number in range(1, 31):
        tables[owner].add(f"Project {number} of {owner}", owner)


def signed_in(credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> User:
    try:
        claims = jwt.decode(
            credentials.credentials,
            SECRET,
            algorithms=["HS256"],
            issuer=ISSUER,
            audience=AUDIENCE,
            options={"require": ["exp", "sub", "tenant", "jti"]},
        )
    except jwt.InvalidTokenError:
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "no good token") from None
    if claims["jti"] in revoked:
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "signed out")
    return User(**claims)


SignedIn = Annotated[User, Depends(signed_in)]


def own(number: int, user: User) -> Project:
    if number not in tables[user.tenant]:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "no such project")
    return tables[user.tenant][number]


@app.post("/login")
def login(who: Login) -> dict[str, str]:
    if PASSWORDS.get(who.name) != who.password:
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "no such user")
    claims = {"sub": who.name, "tenant": TENANTS[who.name], "iss": ISSUER, "aud": AUDIENCE, "jti": uuid.uuid4().hex}
    return {"token": jwt.encode({**claims, "exp": int(time.time()) + 60 * MINUTES}, SECRET, "HS256")}


@app.post("/logout", status_code=status.HTTP_204_NO_CONTENT)
def logout(user: SignedIn) -> None:
    revoked.add(user.jti)


@app.get("/me")
def me(user: SignedIn) -> dict[str, str]:
    return {"name": user.sub, "tenant": user.tenant}


@app.get("/auth", status_code=status.HTTP_204_NO_CONTENT)
def auth(user: SignedIn, response: Response) -> None:
    """Who the token belongs to, for proxies that ask (auth_request, forward auth)."""
    response.headers["X-Tenant"], response.headers["X-User"] = user.tenant, user.sub


@app.get("/projects")
def list_projects(user: SignedIn, page: int = 1) -> list[Project]:
    return list(tables[user.tenant].values())[(page - 1) * PAGE : page * PAGE]


@app.get("/report")
def report(user: SignedIn) -> dict[str, object]:
    names = [project.name for project in tables[user.tenant].values()]
    return {"tenant": user.tenant, "projects": len(names), "longest": max(names, key=len, default="")}


@app.get("/projects/{number}")
def show_project(number: int, user: SignedIn) -> Project:
    return own(number, user)


@app.post("/projects", status_code=status.HTTP_201_CREATED)
def create_project(new: NewProject, user: SignedIn) -> Project:
    return tables[user.tenant].add(new.name, user.tenant)


@app.put("/projects/{number}")
def rename_project(number: int, new: NewProject, user: SignedIn) -> Project:
    own(number, user).name = new.name
    return own(number, user)


@app.delete("/projects/{number}", status_code=status.HTTP_204_NO_CONTENT)
def delete_project(number: int, user: SignedIn) -> None:
    del tables[user.tenant][own(number, user).id]
