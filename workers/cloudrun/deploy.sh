#!/bin/sh
# Builds the image and deploys the service. Needs gcloud, logged in, and these variables:
#   PROJECT  REGION  BUCKET  REGISTRY    and, if wanted, SERVICE (all-docs), IMAGE, WORK_SERVICE_ACCOUNT
# The bucket and the service accounts are made when they are missing.
set -eu
: "${PROJECT:?names the project}" "${REGION:?names the region}" "${BUCKET:?names the bucket}" "${REGISTRY:?is the URL of the registry}"
SERVICE=${SERVICE:-all-docs}
IMAGE=${IMAGE:-$REGION-docker.pkg.dev/$PROJECT/all-docs/$SERVICE}
SERVICE_ACCOUNT=$SERVICE@$PROJECT.iam.gserviceaccount.com
WORK_SERVICE_ACCOUNT=${WORK_SERVICE_ACCOUNT:-$SERVICE-push@$PROJECT.iam.gserviceaccount.com}
WORK_AUDIENCE=https://$SERVICE/work
export PROJECT BUCKET REGISTRY SERVICE IMAGE SERVICE_ACCOUNT WORK_SERVICE_ACCOUNT WORK_AUDIENCE

here=$(cd "$(dirname "$0")" && pwd)
run() { echo "+ $*" >&2; "$@"; }
quiet() { "$@" >/dev/null 2>&1; }

for account in "$SERVICE" "$SERVICE-push"; do
  quiet gcloud iam service-accounts describe "$account@$PROJECT.iam.gserviceaccount.com" --project "$PROJECT" ||
    run gcloud iam service-accounts create "$account" --project "$PROJECT"
done
quiet gcloud storage buckets describe "gs://$BUCKET" --project "$PROJECT" ||
  run gcloud storage buckets create "gs://$BUCKET" --project "$PROJECT" --location "$REGION" --uniform-bucket-level-access
run gcloud storage buckets add-iam-policy-binding "gs://$BUCKET" --member "serviceAccount:$SERVICE_ACCOUNT" --role roles/storage.objectUser
quiet gcloud artifacts repositories describe all-docs --project "$PROJECT" --location "$REGION" ||
  run gcloud artifacts repositories create all-docs --project "$PROJECT" --location "$REGION" --repository-format docker

run docker build -f "$here/Dockerfile" -t "$IMAGE" "$here/../.."
run docker push "$IMAGE"

filled=$(mktemp)
trap 'rm -f "$filled"' EXIT
sed -e "s|\${PROJECT}|$PROJECT|g; s|\${BUCKET}|$BUCKET|g; s|\${REGISTRY}|$REGISTRY|g; s|\${SERVICE}|$SERVICE|g; s|\${IMAGE}|$IMAGE|g" \
  -e "s|\${SERVICE_ACCOUNT}|$SERVICE_ACCOUNT|g; s|\${WORK_SERVICE_ACCOUNT}|$WORK_SERVICE_ACCOUNT|g; s|\${WORK_AUDIENCE}|$WORK_AUDIENCE|g" \
  "$here/service.yaml" >"$filled"
run gcloud run services replace "$filled" --project "$PROJECT" --region "$REGION"

# Once a day what was pulled through is held within its bounds.
url=$(gcloud run services describe "$SERVICE" --project "$PROJECT" --region "$REGION" --format 'value(status.url)')
quiet gcloud scheduler jobs describe "$SERVICE-expire" --project "$PROJECT" --location "$REGION" ||
  run gcloud scheduler jobs create http "$SERVICE-expire" --project "$PROJECT" --location "$REGION" --schedule '17 3 * * *' \
    --uri "$url/work" --http-method POST --headers Content-Type=application/json --message-body '{"type":"expire","id":"daily"}' \
    --oidc-service-account-email "$WORK_SERVICE_ACCOUNT" --oidc-token-audience "$WORK_AUDIENCE"
echo "npm install --registry $url/npm/"
