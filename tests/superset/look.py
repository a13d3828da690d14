"""Logs in to Superset, opens the dashboard and waits until its charts are drawn.

Prints what each chart shows as a JSON object a line, and leaves a picture of all of it.
"""

import json
import os
import sys

from playwright.sync_api import sync_playwright

address, picture = sys.argv[1], sys.argv[2]
SECOND = 1000

with sync_playwright() as playwright:
    browser = playwright.chromium.launch(
        executable_path=os.environ["CHROMIUM"], args=["--no-sandbox"]
    )
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(180 * SECOND)
    page.goto(f"{address}/login/?next=/superset/dashboard/music-events/")
    page.fill("#username", "admin")
    page.fill("#password", "admin")
    page.keyboard.press("Enter")
    charts = page.locator("[data-test-chart-id]")
    charts.first.wait_for()
    is_drawn = "() => !document.querySelector('.loading, [data-test=loading-indicator]')"
    for _ in range(3):
        # Charts begin to load as they come into view.
        page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
        page.wait_for_timeout(SECOND)
        page.evaluate("window.scrollTo(0, 0)")
        page.wait_for_function(is_drawn)
        page.wait_for_timeout(2 * SECOND)
    for chart in charts.all():
        shown = {
            "title": chart.get_attribute("data-test-chart-name"),
            "text": chart.inner_text(),
            "drawings": chart.locator("canvas, svg path.region").count(),
            "errors": chart.locator(".ant-alert-error, [role=alert]").all_inner_texts(),
        }
        print(json.dumps(shown))
    page.screenshot(path=picture, full_page=True)
    browser.close()
